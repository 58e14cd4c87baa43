package io.hydra4j.runtime;

/**
 * Memory of a backend's device.
 *
 * @param freeBytes bytes that are free now
 * @param totalBytes all bytes
 */
public record DeviceMemory(long freeBytes, long totalBytes) {}
