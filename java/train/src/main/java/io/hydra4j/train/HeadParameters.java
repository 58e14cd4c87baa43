package io.hydra4j.train;

import io.hydra4j.model.DecoderConfig;
import io.hydra4j.train.HeadsDesign.Kind;
import io.hydra4j.train.HeadsDesign.LmHead;
import io.hydra4j.train.Parameter.First;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The parameters of heads: their published names, their shapes, and their places in one array, matrices first, so that those that decay
 * are a part of it. Immutable.
 */
final class HeadParameters {
    static final String PREFIX_LAYER = "prefix_embeding_layer.layers.0.";
    static final String PREFIX_NORM = "prefix_embeding_layer.norm.weight";

    /** Offsets are multiples of it: a cache line. */
    private static final long ALIGNMENT = 16;

    private final HeadsDesign design;
    private final Map<String, Parameter> byName = new LinkedHashMap<>();
    private final List<Parameter> all = new ArrayList<>();
    private final long decaying;
    private long count;

    private record Planned(List<String> names, List<Long> shape, First first, long inputs) {}

    /** @param vocabulary rows of the LM heads */
    HeadParameters(HeadsDesign design, DecoderConfig base, long vocabulary) {
        this.design = design;
        List<Planned> planned = new ArrayList<>();
        if (design.hasPrefixLayer()) {
            planPrefix(planned, base);
        }
        for (int head = 0; head < design.heads(); head++) {
            planHead(planned, head, base.hidden(), vocabulary);
        }
        planned.stream().filter(plan -> plan.shape().size() > 1).forEach(this::place);
        decaying = count;
        planned.stream().filter(plan -> plan.shape().size() == 1).forEach(this::place);
    }

    private void place(Planned plan) {
        Parameter parameter = new Parameter(plan.names(), plan.shape(), count, plan.first(), plan.inputs());
        plan.names().forEach(name -> byName.put(name, parameter));
        all.add(parameter);
        count += (parameter.count() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }

    private static void planPrefix(List<Planned> planned, DecoderConfig base) {
        long hidden = base.hidden();
        long queries = base.queryRows();
        long keys = base.keyValueRows();
        long inner = base.feedForward();
        norm(planned, PREFIX_LAYER + "input_layernorm.weight", hidden);
        matrix(planned, PREFIX_LAYER + "self_attn.q_proj.weight", queries, hidden);
        matrix(planned, PREFIX_LAYER + "self_attn.k_proj.weight", keys, hidden);
        matrix(planned, PREFIX_LAYER + "self_attn.v_proj.weight", keys, hidden);
        matrix(planned, PREFIX_LAYER + "self_attn.o_proj.weight", hidden, queries);
        norm(planned, PREFIX_LAYER + "post_attention_layernorm.weight", hidden);
        matrix(planned, PREFIX_LAYER + "mlp.gate_proj.weight", inner, hidden);
        matrix(planned, PREFIX_LAYER + "mlp.up_proj.weight", inner, hidden);
        matrix(planned, PREFIX_LAYER + "mlp.down_proj.weight", hidden, inner);
        norm(planned, PREFIX_NORM, hidden);
    }

    private static void norm(List<Planned> planned, String name, long length) {
        planned.add(new Planned(List.of(name), List.of(length), First.ONE, length));
    }

    private static void matrix(List<Planned> planned, String name, long rows, long columns) {
        planned.add(new Planned(List.of(name), List.of(rows, columns), First.NORMAL, columns));
    }

    private void planHead(List<Planned> planned, int head, long hidden, long vocabulary) {
        boolean grounded = design.isGrounded();
        if (grounded) {
            List<String> first = List.of(block(head, 0));
            long width = (head + 2) * hidden;
            linear(planned, named(first, ".linear"), hidden, width, First.ZERO);
            linear(planned, named(first, ".res_connection"), hidden, width, First.LINEAR);
        }
        List<String> rest = new ArrayList<>();
        for (int index = grounded ? 1 : 0; index < design.blocks(); index++) {
            rest.add(block(head, index));
        }
        for (List<String> names : design.tiedBlocks()
                ? List.of(rest)
                : rest.stream().map(List::of).toList()) {
            if (!names.isEmpty()) {
                linear(planned, named(names, ".linear"), hidden, hidden, First.ZERO);
            }
        }
        if (design.lmHead() == LmHead.PRIVATE) {
            planned.add(
                    new Planned(List.of(lmHead(head) + ".weight"), List.of(vocabulary, hidden), First.LM_HEAD, hidden));
            if (grounded) {
                planned.add(new Planned(List.of(lmHead(head) + ".bias"), List.of(vocabulary), First.LINEAR, hidden));
            }
        }
    }

    /** A layer with a bias; as PyTorch begins one, but for its matrix. */
    private static void linear(List<Planned> planned, List<String> names, long outputs, long inputs, First matrix) {
        planned.add(new Planned(named(names, ".weight"), List.of(outputs, inputs), matrix, inputs));
        planned.add(new Planned(named(names, ".bias"), List.of(outputs), First.LINEAR, inputs));
    }

    private static List<String> named(List<String> blocks, String suffix) {
        return blocks.stream().map(block -> block + suffix).toList();
    }

    /** What the names of a block begin with: where there is dropout, it has the even indices in the published checkpoints. */
    String block(int head, int index) {
        return switch (design.kind()) {
            case MEDUSA -> head + "." + index;
            case HYDRA -> "hydra_mlp." + head + "." + index;
            case HYDRA_PLUS_PLUS -> "hydra_mlp." + head + "." + (2 * index + 1);
        };
    }

    /** What the names of a private LM head begin with. */
    String lmHead(int head) {
        return switch (design.kind()) {
            case MEDUSA -> head + "." + design.blocks();
            case HYDRA -> "hydra_lm_head." + head;
            case HYDRA_PLUS_PLUS -> "hydra_lm_head." + head + ".1";
        };
    }

    /** The file's name that readers look for. */
    String fileName() {
        return design.kind() == Kind.MEDUSA ? "medusa_lm_head.safetensors" : "hydra_lm_head.safetensors";
    }

    /** All of them, in the order of their offsets. */
    List<Parameter> all() {
        return all;
    }

    /** The parameter that has a name. */
    Parameter get(String name) {
        return byName.get(name);
    }

    boolean has(String name) {
        return byName.containsKey(name);
    }

    /** Values of the array that holds them all. */
    long count() {
        return count;
    }

    /** Values at its beginning that decay: those of matrices. */
    long decaying() {
        return decaying;
    }
}
