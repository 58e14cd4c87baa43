/** Draft heads (Medusa, Hydra, Hydra++) with their files. They know the base model and no decoding loop. */
package io.hydra4j.heads;
