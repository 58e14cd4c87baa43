/**
 * Readers of GGUF, safetensors, checkpoints of torch and JSON, and a writer of GGUF. Files are not trusted: every size is compared with a limit and with the
 * file before anything is allocated, and every fault is a {@link io.hydra4j.FormatException} that names file and field. Internal.
 */
package io.hydra4j.format;
