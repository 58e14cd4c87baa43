/** Devices that train, their memory, and the operations that {@code native/include/hydra4j/train.h} describes. */
package io.hydra4j.train.device;
