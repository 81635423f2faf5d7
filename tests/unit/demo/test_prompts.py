from cuckoo.demo.prompts import PROMPTS


def test_prompts__at_least_forty__all_different():
    assert len(PROMPTS) >= 40
    assert len(set(PROMPTS)) == len(PROMPTS)
