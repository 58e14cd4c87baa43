package io.hydra4j.train.device;

import io.hydra4j.runtime.NativeException;
import io.hydra4j.runtime.NativeLibrary;
import io.hydra4j.train.bindings.NativeTrain;
import io.hydra4j.train.bindings.TrainLibrary;
import io.hydra4j.train.bindings.hydra_train_adamw;
import io.hydra4j.train.bindings.hydra_train_attention;
import io.hydra4j.train.bindings.hydra_train_block;
import io.hydra4j.train.bindings.hydra_train_buffer;
import io.hydra4j.train.bindings.hydra_train_device;
import io.hydra4j.train.bindings.hydra_train_loss;
import io.hydra4j.train.bindings.hydra_train_loss_head;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;

/**
 * A device that trains, with its memory. Operations are those of {@code native/include/hydra4j/train.h}, which states shapes,
 * what may be null and what is added to; they run one at a time in the order of the calls. A failure is an exception of
 * {@link io.hydra4j.runtime}. Thread-safe; not to be closed while an operation runs.
 */
public final class TrainDevice implements AutoCloseable {
    private final hydra_train_device pointer = new hydra_train_device();
    private final Set<TrainBuffer> buffers = new LinkedHashSet<>();
    /** Arguments of a call in structs; guarded by this. */
    private ByteBuffer scratch = ByteBuffer.allocateDirect(1 << 12).order(ByteOrder.nativeOrder());

    /** Bytes of the structs, each a multiple of that of a long. */
    private record Sizes(int block, int attention, int loss, int lossHead, int adamW) {}

    private static final Sizes SIZES = sizes();

    private static Sizes sizes() {
        TrainLibrary.load();
        return new Sizes(
                new hydra_train_block((Pointer) null).sizeof(),
                new hydra_train_attention((Pointer) null).sizeof(),
                new hydra_train_loss((Pointer) null).sizeof(),
                new hydra_train_loss_head((Pointer) null).sizeof(),
                new hydra_train_adamw((Pointer) null).sizeof());
    }

    private TrainDevice() {}

    /**
     * Opens the processor.
     *
     * @param threads from 1 to 256
     * @param bf16 whether products are those of the nearest bf16 numbers, rather than of float32 ones
     * @return to be closed
     */
    public static TrainDevice openCpu(int threads, boolean bf16) {
        TrainLibrary.load();
        var device = new TrainDevice();
        check(NativeTrain.hydra_train_device_open_cpu(threads, "auto", products(bf16), device.pointer));
        return device;
    }

    private static int products(boolean bf16) {
        return bf16 ? NativeTrain.HYDRA_TRAIN_BF16 : NativeTrain.HYDRA_TRAIN_FLOAT32;
    }

    /**
     * Opens the first GPU.
     *
     * @param bf16 whether products are those of the nearest bf16 numbers, rather than of float32 ones
     * @return to be closed
     * @throws io.hydra4j.runtime.NativeException with status {@code UNAVAILABLE} and the reason if it cannot be used
     */
    public static TrainDevice openCuda(boolean bf16) {
        String library = NativeLibrary.cudaLibrary();
        TrainLibrary.load();
        var device = new TrainDevice();
        check(NativeTrain.hydra_train_device_open_cuda(library, 0, products(bf16), device.pointer));
        return device;
    }

    /** @return one line about the device */
    public String description() {
        return NativeTrain.hydra_train_device_description(pointer());
    }

    /** @return {@code count} zeros, to be closed; closing the device does it too */
    public TrainBuffer floats(long count) {
        return create(NativeTrain.HYDRA_TRAIN_F32, count);
    }

    /** @return {@code count} ids of 0, to be closed; closing the device does it too */
    public TrainBuffer ints(long count) {
        return create(NativeTrain.HYDRA_TRAIN_I32, count);
    }

    private TrainBuffer create(int type, long count) {
        var out = new hydra_train_buffer();
        check(NativeTrain.hydra_train_buffer_create(pointer(), type, count, out));
        return own(new TrainBuffer(this, out, count));
    }

    /** {@code x[i] = value}. */
    public void fill(long count, float value, TrainBuffer x) {
        check(NativeTrain.hydra_train_fill(pointer(), count, value, of(x)));
    }

    /** {@code y[i] += scale * x[i]}. */
    public void add(long count, float scale, TrainBuffer x, TrainBuffer y) {
        check(NativeTrain.hydra_train_add(pointer(), count, scale, of(x), of(y)));
    }

    /** Copies columns between matrices of other widths. */
    public void copyColumns(
            long rows,
            long columns,
            TrainBuffer source,
            long sourceWidth,
            long sourceColumn,
            TrainBuffer target,
            long targetWidth,
            long targetColumn) {
        check(NativeTrain.hydra_train_copy_columns(
                pointer(),
                rows,
                columns,
                of(source),
                sourceWidth,
                sourceColumn,
                of(target),
                targetWidth,
                targetColumn));
    }

    /** Copies rows of a table into columns of a matrix: row ids[r] to row r, zeros where ids[r] is -1. */
    public void gather(
            long rows,
            long columns,
            TrainBuffer table,
            long tableRows,
            TrainBuffer ids,
            TrainBuffer target,
            long targetWidth,
            long targetColumn) {
        check(NativeTrain.hydra_train_gather(
                pointer(), rows, columns, of(table), tableRows, of(ids), of(target), targetWidth, targetColumn));
    }

    /** Adds columns of a matrix to rows of a table: row r to row ids[r], nowhere where that is -1. */
    public void scatterAdd(
            long rows,
            long columns,
            TrainBuffer source,
            long sourceWidth,
            long sourceColumn,
            TrainBuffer ids,
            TrainBuffer table,
            long tableRows) {
        check(NativeTrain.hydra_train_scatter_add(
                pointer(), rows, columns, of(source), sourceWidth, sourceColumn, of(ids), of(table), tableRows));
    }

    /** Sets elements to 0 with a probability and divides the others by that of keeping them; forward and backward. */
    public void dropout(long count, float probability, long seed, int step, int site, TrainBuffer x, TrainBuffer y) {
        check(NativeTrain.hydra_train_dropout(pointer(), count, probability, seed, step, site, of(x), of(y)));
    }

    /** {@code y = x + scale * u}, u uniform from -1 to 1. */
    public void noise(long count, float scale, long seed, int step, int site, TrainBuffer x, TrainBuffer y) {
        check(NativeTrain.hydra_train_noise(pointer(), count, scale, seed, step, site, of(x), of(y)));
    }

    /** {@code y = silu(gate) * up}. */
    public void swigluForward(long count, TrainBuffer gate, TrainBuffer up, TrainBuffer y) {
        check(NativeTrain.hydra_train_swiglu_forward(pointer(), count, of(gate), of(up), of(y)));
    }

    /** The gradients of {@link #swigluForward}. */
    public void swigluBackward(
            long count, TrainBuffer gate, TrainBuffer up, TrainBuffer gy, TrainBuffer gGate, TrainBuffer gUp) {
        check(NativeTrain.hydra_train_swiglu_backward(pointer(), count, of(gate), of(up), of(gy), of(gGate), of(gUp)));
    }

    /** RMSNorm of rows; {@code inverse} is kept for backward. */
    public void rmsNormForward(
            long rows,
            long width,
            float epsilon,
            TrainBuffer x,
            TrainBuffer weight,
            TrainBuffer y,
            TrainBuffer inverse) {
        check(NativeTrain.hydra_train_rms_norm_forward(
                pointer(), rows, width, epsilon, of(x), of(weight), of(y), of(inverse)));
    }

    /** The gradients of {@link #rmsNormForward}. */
    public void rmsNormBackward(
            long rows,
            long width,
            TrainBuffer x,
            TrainBuffer weight,
            TrainBuffer inverse,
            TrainBuffer gy,
            boolean add,
            TrainBuffer gX,
            TrainBuffer gWeight) {
        check(NativeTrain.hydra_train_rms_norm_backward(
                pointer(), rows, width, of(x), of(weight), of(inverse), of(gy), add ? 1 : 0, of(gX), of(gWeight)));
    }

    /** {@code y = x weight^T + bias}, added where {@code add}. */
    public void linearForward(
            long rows,
            long inputs,
            long outputs,
            TrainBuffer x,
            TrainBuffer weight,
            TrainBuffer bias,
            boolean add,
            TrainBuffer y) {
        check(NativeTrain.hydra_train_linear_forward(
                pointer(), rows, inputs, outputs, of(x), of(weight), of(bias), add ? 1 : 0, of(y)));
    }

    /** The gradients of {@link #linearForward}, of the first {@code columns} of x alone. */
    public void linearBackward(
            long rows,
            long inputs,
            long outputs,
            TrainBuffer x,
            TrainBuffer weight,
            TrainBuffer gy,
            boolean add,
            long columns,
            TrainBuffer gX,
            TrainBuffer gWeight,
            TrainBuffer gBias) {
        check(NativeTrain.hydra_train_linear_backward(
                pointer(),
                rows,
                inputs,
                outputs,
                of(x),
                of(weight),
                of(gy),
                add ? 1 : 0,
                columns,
                of(gX),
                of(gWeight),
                of(gBias)));
    }

    /** Computes a block. */
    public synchronized void blockForward(BlockPass pass) {
        check(NativeTrain.hydra_train_block_forward(pointer(), arguments(pass)));
    }

    /** The gradients of {@link #blockForward}. */
    public synchronized void blockBackward(BlockPass pass, BlockPass.Gradients gradients) {
        var arguments = arguments(pass)
                .gy(of(gradients.y()))
                .g_a(of(gradients.a()))
                .add(gradients.add() ? 1 : 0)
                .g_columns(gradients.columns())
                .g_x(of(gradients.x()))
                .g_weight(of(gradients.weight()))
                .g_bias(of(gradients.bias()))
                .g_skip(of(gradients.skip()))
                .g_skip_bias(of(gradients.skipBias()));
        check(NativeTrain.hydra_train_block_backward(pointer(), arguments));
    }

    private hydra_train_block arguments(BlockPass pass) {
        return new hydra_train_block(memory(SIZES.block(), 0))
                .rows(pass.rows())
                .inputs(pass.inputs())
                .outputs(pass.outputs())
                .x(of(pass.x()))
                .weight(of(pass.weight()))
                .bias(of(pass.bias()))
                .skip(of(pass.skip()))
                .skip_bias(of(pass.skipBias()))
                .a(of(pass.a()))
                .y(of(pass.y()));
    }

    /** Rotates {@code x [rows][heads][headSize]} in place; {@code inverse} is the backward operation. */
    public void rope(Texts texts, long heads, long headSize, float[] frequencies, boolean inverse, TrainBuffer x) {
        if (frequencies.length != headSize / 2) {
            throw new IllegalArgumentException(
                    frequencies.length + " frequencies for heads of " + headSize + ": " + headSize / 2 + " are needed");
        }
        check(NativeTrain.hydra_train_rope(
                pointer(), texts.count(), texts.starts(), heads, headSize, frequencies, inverse ? 1 : 0, of(x)));
    }

    /** Computes attention. */
    public void attentionForward(AttentionPass pass) {
        attend(pass, null);
    }

    /** The gradients of {@link #attentionForward}. */
    public void attentionBackward(AttentionPass pass, AttentionPass.Gradients gradients) {
        attend(pass, gradients);
    }

    private synchronized void attend(AttentionPass pass, AttentionPass.Gradients gradients) {
        long[] starts = pass.texts().starts();
        var memory = memory(SIZES.attention(), starts.length);
        scratch.position(SIZES.attention()).asLongBuffer().put(starts);
        var arguments = new hydra_train_attention(memory)
                .sequences(pass.texts().count())
                .starts(new LongPointer(new Pointer(scratch.slice())))
                .heads(pass.heads())
                .kv_heads(pass.kvHeads())
                .head_size(pass.headSize())
                .q(of(pass.q()))
                .k(of(pass.k()))
                .v(of(pass.v()))
                .y(of(pass.y()))
                .log_sum(of(pass.logSum()));
        if (gradients == null) {
            check(NativeTrain.hydra_train_attention_forward(pointer(), arguments));
            return;
        }
        arguments
                .gy(of(gradients.y()))
                .g_q(of(gradients.q()))
                .g_k(of(gradients.k()))
                .g_v(of(gradients.v()));
        check(NativeTrain.hydra_train_attention_backward(pointer(), arguments));
    }

    /** @return of each head what its rows come to */
    public synchronized List<LossPass.Sums> loss(LossPass pass) {
        int count = pass.heads().size();
        double[] sums = new double[count * NativeTrain.HYDRA_TRAIN_SUMS];
        var memory = memory(SIZES.loss() + count * SIZES.lossHead(), 0);
        var arguments = new hydra_train_loss(memory).hidden(pass.hidden()).vocabulary(pass.vocabulary());
        var heads = new hydra_train_loss_head(
                new Pointer(scratch.position(SIZES.loss()).slice()));
        var teacher = pass.teacher();
        arguments
                .teacher_hidden(teacher == null ? 0 : teacher.hidden())
                .teacher_rows(teacher == null ? 0 : teacher.rows())
                .teacher_states(teacher == null ? null : of(teacher.states()))
                .teacher_weight(teacher == null ? null : of(teacher.weight()))
                .teacher_cap(teacher == null ? 0 : teacher.cap());
        for (int i = 0; i < count; i++) {
            set(heads.getPointer(i), pass.heads().get(i));
        }
        check(NativeTrain.hydra_train_loss_compute(pointer(), arguments, heads, count, sums));
        List<LossPass.Sums> result = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            result.add(sums(sums, i * NativeTrain.HYDRA_TRAIN_SUMS));
        }
        return result;
    }

    private static void set(hydra_train_loss_head target, LossPass.Head head) {
        target.rows(head.rows())
                .states(of(head.states()))
                .weight(of(head.weight()))
                .bias(of(head.bias()))
                .targets(of(head.targets()))
                .teacher_rows(of(head.teacherRows()))
                .teacher_best(of(head.teacherBest()))
                .row_weights(of(head.rowWeights()))
                .data_scale(head.dataScale())
                .teacher_scale(head.teacherScale())
                .g_states(of(head.gStates()))
                .g_weight(of(head.gWeight()))
                .g_bias(of(head.gBias()))
                .target_ranks(of(head.targetRanks()))
                .best_ranks(of(head.bestRanks()));
    }

    private static LossPass.Sums sums(double[] all, int from) {
        int targetTop = from + NativeTrain.HYDRA_TRAIN_SUM_TARGET_TOP;
        int bestTop = from + NativeTrain.HYDRA_TRAIN_SUM_BEST_TOP;
        return new LossPass.Sums(
                all[from + NativeTrain.HYDRA_TRAIN_SUM_ROWS],
                all[from + NativeTrain.HYDRA_TRAIN_SUM_WEIGHTS],
                all[from + NativeTrain.HYDRA_TRAIN_SUM_TARGET_WEIGHTS],
                all[from + NativeTrain.HYDRA_TRAIN_SUM_DATA_LOSS],
                all[from + NativeTrain.HYDRA_TRAIN_SUM_TEACHER_LOSS],
                all[from + NativeTrain.HYDRA_TRAIN_SUM_TEACHER_ENTROPY],
                Arrays.copyOfRange(all, targetTop, targetTop + 5),
                Arrays.copyOfRange(all, bestTop, bestTop + 5));
    }

    /** @return the sum of the squares */
    public double squareSum(long count, TrainBuffer x) {
        double[] sum = new double[1];
        check(NativeTrain.hydra_train_square_sum(pointer(), count, of(x), sum));
        return sum[0];
    }

    /** @return how many values are infinite or NaN */
    public long countNonfinite(long count, TrainBuffer x) {
        long[] found = new long[1];
        check(NativeTrain.hydra_train_count_nonfinite(pointer(), count, of(x), found));
        return found[0];
    }

    /**
     * A step of AdamW.
     *
     * @param step from 1 on
     * @param gradientScale the gradients are multiplied by it first
     */
    public synchronized void adamW(
            long count,
            TrainBuffer parameters,
            TrainBuffer gradients,
            TrainBuffer first,
            TrainBuffer second,
            long step,
            AdamW options,
            double rate,
            double gradientScale) {
        var arguments = new hydra_train_adamw(memory(SIZES.adamW(), 0))
                .count(count)
                .parameters(of(parameters))
                .gradients(of(gradients))
                .first(of(first))
                .second(of(second))
                .step(step)
                .rate(rate)
                .beta1(options.beta1())
                .beta2(options.beta2())
                .epsilon(options.epsilon())
                .decay(options.decay())
                .gradient_scale(gradientScale);
        check(NativeTrain.hydra_train_adamw_step(pointer(), arguments));
    }

    /** What stays the same from step to step of AdamW; {@code decay} is the decoupled weight decay. */
    public record AdamW(double beta1, double beta2, double epsilon, double decay) {}

    /**
     * Zeroed memory for arguments, until the next call. JavaCPP's own allocation refuses, after several collections, where the process has
     * more native memory than its heap suggests; what is trained lies there.
     *
     * @param longs numbers that follow
     */
    private Pointer memory(int bytes, int longs) {
        int needed = bytes + longs * Long.BYTES;
        if (scratch.capacity() < needed) {
            scratch = ByteBuffer.allocateDirect(needed).order(ByteOrder.nativeOrder());
        }
        scratch.clear().put(new byte[needed]);
        return new Pointer(scratch.clear());
    }

    synchronized TrainBuffer own(TrainBuffer buffer) {
        buffers.add(buffer);
        return buffer;
    }

    synchronized void release(TrainBuffer buffer) {
        if (buffers.remove(buffer)) {
            buffer.destroy();
        }
    }

    /** Closes all buffers, and the device. */
    @Override
    public synchronized void close() {
        buffers.forEach(TrainBuffer::destroy);
        buffers.clear();
        NativeTrain.hydra_train_device_close(pointer);
        pointer.setNull();
    }

    private hydra_train_device pointer() {
        if (pointer.isNull()) {
            throw new IllegalStateException("the device is closed");
        }
        return pointer;
    }

    private static hydra_train_buffer of(TrainBuffer buffer) {
        return buffer == null ? null : buffer.pointer();
    }

    static void check(int status) {
        if (status != 0) {
            throw NativeException.of(status, NativeTrain.hydra_train_error_message());
        }
    }
}
