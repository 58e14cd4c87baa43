/** The jar of the CUDA backend's library. */
package io.hydra4j.cuda;
