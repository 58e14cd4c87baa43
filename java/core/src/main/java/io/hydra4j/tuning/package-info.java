/**
 * What steps cost here, which trees pay, and in which order trees grow. Internal: nothing outside of this library depends on it.
 */
package io.hydra4j.tuning;
