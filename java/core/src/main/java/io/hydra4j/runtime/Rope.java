package io.hydra4j.runtime;

import io.hydra4j.runtime.bindings.Native;
import io.hydra4j.runtime.bindings.hydra_rope;
import java.util.List;

/** The angles by which rotary embedding rotates the pairs of a head. Immutable. */
public final class Rope extends NativeObject {
    private final Handle<hydra_rope> handle;

    private Rope(Handle<hydra_rope> handle) {
        this.handle = handle;
    }

    @Override
    Handle<hydra_rope> handle() {
        return handle;
    }

    /**
     * Creates the angles: pair i of a head at a position rotates by position * frequencies[i].
     *
     * @param backend in whose memory they lie
     * @param headSize values of a head; pair i is rows 2i and 2i + 1 of a head of the query and key matrices
     * @param frequencies [headSize / 2] radians per position
     * @param positions the positions that are possible are 0 to positions - 1
     * @return the angles, to be closed
     * @throws IllegalArgumentException if the frequencies are not headSize / 2
     * @throws NativeException with status {@code INVALID_ARGUMENT} if an argument is out of range
     */
    public static Rope create(Backend backend, int headSize, float[] frequencies, int positions) {
        return create(backend, headSize, frequencies, 1, positions);
    }

    /**
     * Creates the angles, and a factor: pair i of a head at a position rotates by position * frequencies[i] and is multiplied by
     * scale, or stays as it is where the frequency is 0.
     *
     * @param backend in whose memory they lie
     * @param headSize values of a head; pair i is rows 2i and 2i + 1 of a head of the query and key matrices
     * @param frequencies [headSize / 2] radians per position, not negative
     * @param scale what the pairs that rotate are multiplied by
     * @param positions the positions that are possible are 0 to positions - 1
     * @return the angles, to be closed
     * @throws IllegalArgumentException if the frequencies are not headSize / 2
     * @throws NativeException with status {@code INVALID_ARGUMENT} if an argument is out of range
     */
    public static Rope create(Backend backend, int headSize, float[] frequencies, float scale, int positions) {
        if (headSize < 2 || frequencies.length != headSize / 2) {
            throw new IllegalArgumentException("a head of " + headSize + " needs " + headSize / 2
                    + " frequencies, given are " + frequencies.length);
        }
        return new Rope(Handle.create(
                "rope of " + positions + " positions",
                new hydra_rope(),
                out -> Native.hydra_rope_create(
                        backend.handle().pointer(), headSize, frequencies, scale, positions, out),
                Native::hydra_rope_destroy,
                List.of(backend.handle())));
    }
}
