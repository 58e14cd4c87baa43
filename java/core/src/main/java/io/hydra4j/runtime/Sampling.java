package io.hydra4j.runtime;

import io.hydra4j.runtime.bindings.Native;
import io.hydra4j.runtime.bindings.hydra_sampling;
import io.hydra4j.runtime.bindings.hydra_sampling_options;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.Pointer;

/**
 * How the sequences of a batch select their tokens, and what that needs on the backend: noise, the history of tokens, biases.
 * The token selected at a row is a function of the row's logits, the sequence's options, the tokens before it, the seed and the
 * position at which it will stand: not of the tree, the batch, the threads or the backend.
 */
public final class Sampling extends NativeObject {
    /** All sequences of the batch, to {@link #set}. */
    public static final int ALL = -1;

    private final Handle<hydra_sampling> handle;

    private Sampling(Handle<hydra_sampling> handle) {
        this.handle = handle;
    }

    @Override
    Handle<hydra_sampling> handle() {
        return handle;
    }

    /**
     * Creates the sampling of sequences that are all greedy at first: {@link Options#GREEDY}. It takes 4 * (levels + 3) bytes of a
     * sequence and token, and 4 of a sequence and position that its page table can hold; on the CPU when they are first used.
     *
     * @param batch whose sequences they are
     * @param vocabulary columns of the logits, 1 to 2^24
     * @param levels of the deepest tree below its root, 0 to {@link TreeTopology#MAX_NODES} - 1; deeper ones are slow
     * @return the sampling, to be closed
     * @throws NativeException with status {@code INVALID_ARGUMENT} if a number is out of range
     * @throws OutOfNativeMemoryException if the system refuses the memory
     */
    public static Sampling create(Batch batch, int vocabulary, int levels) {
        return new Sampling(Handle.create(
                "sampling",
                new hydra_sampling(),
                out -> Native.hydra_sampling_create(batch.handle().pointer(), vocabulary, levels, out),
                Native::hydra_sampling_destroy,
                List.of(batch.handle())));
    }

    /**
     * Sets how a sequence selects from the next run on.
     *
     * @param sequence its number, or {@link #ALL}
     * @param options the options
     * @throws NativeException with status {@code INVALID_ARGUMENT} if an option is out of range, there is no such sequence, or a
     *     program that uses the sampling is enqueued
     */
    public void set(int sequence, Options options) {
        int biases = options.bias.size();
        ByteBuffer memory = ByteBuffer.allocateDirect(BIAS_OFFSET + 2 * Integer.BYTES * biases)
                .order(ByteOrder.nativeOrder());
        int token = BIAS_OFFSET;
        for (Map.Entry<Integer, Float> bias : options.bias.entrySet()) {
            memory.putInt(token, bias.getKey());
            memory.putFloat(token + Integer.BYTES * biases, bias.getValue());
            token += Integer.BYTES;
        }
        long address = new Pointer(memory).address();
        long bytes = (long) Integer.BYTES * biases;
        try (hydra_sampling_options arguments = new hydra_sampling_options(new Memory(address, BIAS_OFFSET))) {
            arguments
                    .temperature(options.temperature)
                    .top_k(options.topK)
                    .top_p(options.topP)
                    .min_p(options.minP)
                    .repetition_penalty(options.repetitionPenalty)
                    .presence_penalty(options.presencePenalty)
                    .frequency_penalty(options.frequencyPenalty)
                    .seed(options.seed)
                    .bias_tokens(new IntPointer(new Memory(address + BIAS_OFFSET, bytes)))
                    .bias_values(new FloatPointer(new Memory(address + BIAS_OFFSET + bytes, bytes)))
                    .biases(biases);
            handle.check(sampling -> Native.hydra_sampling_set(sampling, sequence, arguments));
        } finally {
            Reference.reachabilityFence(memory);
        }
    }

    /** Where biases lie behind the options, which take less. */
    private static final int BIAS_OFFSET = 128;

    /**
     * How a sequence selects. After biases and penalties, a temperature of 0 takes the best token; else filters are applied in the
     * order top-k, top-p, min-p, and one of what is left is drawn by softmax(logits / temperature).
     *
     * @param temperature at least 0
     * @param topK the most tokens that are left; 0 for all
     * @param topP the mass of the best tokens that are left, more than 0; 1 for all
     * @param minP the least probability of a token that is left, relative to the best one's: 0 for all, to 1
     * @param repetitionPenalty divides positive logits, and multiplies others, of tokens of prompt and text: more than 0; 1 for none
     * @param presencePenalty is subtracted from the logits of tokens that were generated; 0 for none
     * @param frequencyPenalty is subtracted from them once for each time that they were; 0 for none
     * @param seed of the noise
     * @param bias what is added to the logits of tokens; negative infinity for those that are not to be selected
     */
    public record Options(
            float temperature,
            int topK,
            float topP,
            float minP,
            float repetitionPenalty,
            float presencePenalty,
            float frequencyPenalty,
            long seed,
            Map<Integer, Float> bias) {
        /** The best token, without penalties and biases. */
        public static final Options GREEDY = new Options(0, 0, 1, 0, 1, 0, 0, 0, Map.of());

        /**
         * Makes the map unmodifiable.
         *
         * @param temperature 0 for the best token
         * @param topK 0 for all
         * @param topP 1 for all
         * @param minP 0 for all
         * @param repetitionPenalty 1 for none
         * @param presencePenalty 0 for none
         * @param frequencyPenalty 0 for none
         * @param seed of the noise
         * @param bias what is added to the logits of tokens
         * @throws NullPointerException if the bias is null, or a token or value of it
         */
        public Options {
            bias = Map.copyOf(bias);
        }
    }
}
