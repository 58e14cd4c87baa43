/**
 * Drafters: draft heads (Medusa, Hydra, Hydra++) with their files, and what else proposes the next tokens. They know the base model
 * and no decoding loop.
 */
package io.hydra4j.heads;
