/**
 * The base model: its configuration, its weights, and the recording of its forward pass, which is spelled out nowhere else. Internal.
 */
package io.hydra4j.model;
