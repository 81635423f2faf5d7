-- Results that are checked by a question about one step: the question (MessagePack), and the blob hash of the answer.
ALTER TABLE audits ADD COLUMN challenge BLOB;
ALTER TABLE audits ADD COLUMN answer BLOB CHECK (answer IS NULL OR challenge IS NOT NULL);
