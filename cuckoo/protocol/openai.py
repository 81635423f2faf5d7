"""The images part of OpenAI's API. Source: the types of its Python package, version 3.54."""

from typing import Literal

import msgspec

Quality = Literal["auto", "low", "medium", "high", "xhigh", "max", "standard", "hd"]
OutputFormat = Literal["png", "jpeg", "webp"]
PARTIAL_IMAGES_MAX = 3


class ImagesRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``images.generate`` sends. What has no meaning for diffusion models is checked and then ignored."""

    prompt: str
    model: str | None = None
    n: int | None = 1
    size: str | None = "auto"
    stream: bool | None = False
    partial_images: int | None = 0
    response_format: Literal["url", "b64_json"] | None = None
    output_format: OutputFormat | None = "png"
    output_compression: int | None = 100
    background: Literal["auto", "opaque"] | None = "auto"
    quality: Quality | None = "auto"
    moderation: Literal["auto", "low"] | None = "auto"
    style: Literal["vivid", "natural"] | None = None
    complexity: Literal["low", "medium", "high"] | None = None
    safety_identifier: str | None = None
    user: str | None = None


class EditRequest(ImagesRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``images.edit`` sends besides its files."""

    input_fidelity: Literal["high", "low"] | None = None


class Image(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A picture: in base64, or where it can be fetched for an hour."""

    b64_json: str | None = None
    url: str | None = None


class TokenDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens by kind. Nothing is counted in tokens here."""

    image_tokens: int = 0
    text_tokens: int = 0


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens used; always 0."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    input_tokens_details: TokenDetails = TokenDetails()


class ImagesResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a request that is not streamed."""

    created: int
    data: tuple[Image, ...]
    size: str
    output_format: OutputFormat
    background: Literal["opaque"] = "opaque"
    usage: Usage = Usage()


class PartialImage(msgspec.Struct, frozen=True, kw_only=True):
    """A picture as it stands, while it is drawn."""

    type: str

    partial_image_index: int
    b64_json: str
    created_at: int
    size: str
    output_format: OutputFormat
    background: Literal["opaque"] = "opaque"
    quality: Quality = "auto"


class CompletedImage(msgspec.Struct, frozen=True, kw_only=True):
    """A picture that is done."""

    type: str

    b64_json: str
    created_at: int
    size: str
    output_format: OutputFormat
    background: Literal["opaque"] = "opaque"
    quality: Quality = "auto"
    usage: Usage = Usage()


class ErrorDetail(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong, and which parameter is at fault."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorEnvelope(msgspec.Struct, frozen=True, kw_only=True):
    """Every refusal."""

    error: ErrorDetail
