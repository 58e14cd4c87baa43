package io.hydra4j.runtime;

/**
 * Memory of a backend's device.
 *
 * @param freeBytes bytes that can be had now
 * @param totalBytes all bytes
 */
public record DeviceMemory(long freeBytes, long totalBytes) {}
