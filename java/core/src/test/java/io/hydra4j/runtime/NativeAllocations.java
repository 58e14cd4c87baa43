package io.hydra4j.runtime;

import io.hydra4j.runtime.bindings.Native;

/** Counts the native library's allocations, and has one of them fail. */
public final class NativeAllocations {
    private NativeAllocations() {}

    /**
     * Has the k-th allocation from now on fail.
     *
     * @param k 0 for none
     * @return how many of the k of before were left: 0 if that one has failed, or none was to
     */
    public static long fail(long k) {
        NativeLibrary.load();
        return Native.hydra_fail_allocation(k);
    }

    /** Allocations that have not been released. */
    public static long live() {
        NativeLibrary.load();
        return Native.hydra_live_allocations();
    }
}
