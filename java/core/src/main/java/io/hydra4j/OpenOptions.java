package io.hydra4j;

import io.hydra4j.model.KvType;
import io.hydra4j.runtime.BackendKind;
import io.hydra4j.runtime.WeightType;
import java.nio.file.Path;
import java.util.function.DoubleConsumer;

/**
 * How to open a model. Immutable; the {@code with} methods give changed copies.
 *
 * @param heads draft heads: a folder of the published kind or a compact file; null for none
 * @param backend what computes; {@link BackendKind#AUTO} takes a GPU where one can be used and has the memory, else the CPU
 * @param threads threads that compute on the CPU; 0 for one per processor
 * @param weights type of all matrices of the base; null to keep the file's
 * @param headWeights type of all matrices of the heads; null to keep the file's
 * @param kv how keys and values are kept
 * @param draftTables whether grounded heads get tables in the place of their products with the embedding, which {@link
 *     io.hydra4j.heads.DraftHeads#tableBytes} tells the size of: more memory for less reading
 * @param progress gets the loaded fraction, 0 to 1
 */
public record OpenOptions(
        Path heads,
        BackendKind backend,
        int threads,
        WeightType weights,
        WeightType headWeights,
        KvType kv,
        boolean draftTables,
        DoubleConsumer progress) {
    /** No heads, all processors, the file's types. */
    public static final OpenOptions DEFAULT =
            new OpenOptions(null, BackendKind.AUTO, 0, null, null, KvType.AUTO, false, fraction -> {});

    public OpenOptions withHeads(Path heads) {
        return new OpenOptions(heads, backend, threads, weights, headWeights, kv, draftTables, progress);
    }

    public OpenOptions withBackend(BackendKind backend) {
        return new OpenOptions(heads, backend, threads, weights, headWeights, kv, draftTables, progress);
    }

    public OpenOptions withThreads(int threads) {
        return new OpenOptions(heads, backend, threads, weights, headWeights, kv, draftTables, progress);
    }

    public OpenOptions withWeights(WeightType weights) {
        return new OpenOptions(heads, backend, threads, weights, headWeights, kv, draftTables, progress);
    }

    public OpenOptions withHeadWeights(WeightType headWeights) {
        return new OpenOptions(heads, backend, threads, weights, headWeights, kv, draftTables, progress);
    }

    public OpenOptions withKv(KvType kv) {
        return new OpenOptions(heads, backend, threads, weights, headWeights, kv, draftTables, progress);
    }

    public OpenOptions withDraftTables(boolean draftTables) {
        return new OpenOptions(heads, backend, threads, weights, headWeights, kv, draftTables, progress);
    }

    public OpenOptions withProgress(DoubleConsumer progress) {
        return new OpenOptions(heads, backend, threads, weights, headWeights, kv, draftTables, progress);
    }
}
