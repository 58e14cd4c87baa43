package io.hydra4j.cli;

import io.hydra4j.HydraException;
import io.hydra4j.format.Tensor;
import io.hydra4j.heads.HeadsFiles;
import io.hydra4j.heads.HeadsTensors;
import io.hydra4j.model.MemoryNeed;
import io.hydra4j.model.ModelFiles;
import io.hydra4j.model.WeightLoader;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.BackendKind;
import io.hydra4j.runtime.Backends;
import io.hydra4j.runtime.KvType;
import io.hydra4j.runtime.WeightType;
import java.nio.file.Path;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * How a model would run on this machine; no weights are read.
 *
 * @param machine what would compute
 * @param heads whether draft heads fit the model; empty where none are named
 * @param memory bytes that it needs with one session of full length, by what for; heads that fit included
 * @param freeBytes memory that is free
 * @param kernels how its matrices would be computed
 */
record Here(String machine, Optional<String> heads, Map<String, Long> memory, long freeBytes, List<Kernel> kernels) {
    /**
     * Matrices of one type.
     *
     * @param type in which they are computed: the file's, but for heads of BF16 and F16 on the CPU
     * @param matrices how many there are
     * @param bytes of all of them
     */
    record Kernel(WeightType type, int matrices, long bytes) {}

    /**
     * Reads headers and opens the backend.
     *
     * @param context the most tokens of a sequence; 0 for all that the model has
     * @param heads null for none
     * @throws HydraException if the model cannot be opened, or the backend not be used
     */
    static Here of(Path model, int context, Path heads, BackendKind kind) {
        ModelFiles files = ModelFiles.open(model, context);
        try (Backend backend = Backends.open(kind, 0)) {
            MemoryNeed need = MemoryNeed.of(backend, files, null, KvType.AUTO);
            Map<WeightType, Kernel> kernels = new LinkedHashMap<>();
            addKernels(kernels, files.tensors().all(), null);
            Optional<String> fit = Optional.empty();
            if (heads != null) {
                try {
                    HeadsTensors opened = HeadsFiles.open(heads, files.config());
                    WeightType type = opened.eightBitType(backend.kind());
                    need.addHeads(opened.all(), type, files.config());
                    addKernels(kernels, opened.all(), type);
                    fit = Optional.of("fit: " + opened.config().heads() + " heads");
                } catch (HydraException e) {
                    fit = Optional.of("do not fit: " + e.getMessage());
                }
            }
            return new Here(
                    machine(backend), fit, need.parts(), backend.memory().freeBytes(), List.copyOf(kernels.values()));
        }
    }

    private static String machine(Backend backend) {
        if (backend.kind() != BackendKind.CPU) {
            return backend.description();
        }
        String why = backend.fallback().isEmpty() ? "" : "; no CUDA: " + backend.fallback();
        return backend.description() + ", kernels for " + backend.isa().name().toLowerCase(Locale.ROOT) + why;
    }

    private static void addKernels(Map<WeightType, Kernel> kernels, Collection<Tensor> tensors, WeightType convertTo) {
        for (Tensor tensor : tensors) {
            if (tensor.shape().size() > 1) {
                WeightType type = WeightLoader.typeOf(tensor, convertTo);
                kernels.merge(
                        type,
                        new Kernel(type, 1, type.bytes(tensor.values())),
                        (a, b) -> new Kernel(type, a.matrices + b.matrices, a.bytes + b.bytes));
            }
        }
    }

    /** Bytes in all. */
    long bytes() {
        return memory.values().stream().mapToLong(Long::longValue).sum();
    }
}
