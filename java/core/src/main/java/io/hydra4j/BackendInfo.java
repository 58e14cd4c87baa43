package io.hydra4j;

import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.BackendKind;
import io.hydra4j.runtime.InstructionSet;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** Facts about what computes for a model. Immutable; two are equal if their values are. */
public final class BackendInfo {
    private final BackendKind kind;
    private final String description;
    private final String fallback;
    private final int threads;
    private final InstructionSet isa;

    BackendInfo(Backend backend) {
        kind = backend.kind();
        description = backend.description();
        fallback = backend.fallback();
        threads = backend.threads();
        isa = kind == BackendKind.CPU ? backend.isa() : null;
    }

    /** {@return what computes, never {@link BackendKind#AUTO}} */
    public BackendKind kind() {
        return kind;
    }

    /** {@return the device in one line} */
    public String description() {
        return description;
    }

    /** {@return why CUDA is not used although it would have been chosen, in one line; empty if there is nothing to tell} */
    public String fallback() {
        return fallback;
    }

    /** {@return the number of threads that compute; 0 if it is not the CPU} */
    public int threads() {
        return threads;
    }

    /** {@return the processor's instruction set in use, never {@link InstructionSet#AUTO}; empty if it is not the CPU} */
    public Optional<InstructionSet> isa() {
        return Optional.ofNullable(isa);
    }

    private List<Object> values() {
        return Arrays.asList(kind, description, fallback, threads, isa);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof BackendInfo info && values().equals(info.values());
    }

    @Override
    public int hashCode() {
        return values().hashCode();
    }

    @Override
    public String toString() {
        return "BackendInfo[kind=" + kind + ", description=" + description + ", threads=" + threads + ", isa=" + isa
                + "]";
    }
}
