/**
 * Text to token ids and back: {@link io.hydra4j.text.Tokenizer}, made from a {@code tokenizer.json} or a GGUF file's
 * own vocabulary; {@link io.hydra4j.text.TextStream}, which turns ids into text while they come; and {@link
 * io.hydra4j.text.StopStrings}, which ends that text.
 *
 * <p>A file is first read into one checked description of a tokenizer, whatever its format. From that, the native
 * library of Hugging Face's tokenizers (which encodes) and the tables of the decoder, in Java, are made.
 */
package io.hydra4j.text;
