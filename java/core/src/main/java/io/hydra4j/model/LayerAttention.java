package io.hydra4j.model;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * In what the attention of one layer may differ from that of another.
 *
 * @param rope how queries and keys rotate
 * @param window positions that a row sees at most, itself included; 0 for all
 */
public record LayerAttention(RopeAngles rope, int window) {
    /** Layers that are all alike. */
    static List<LayerAttention> same(int layers, RopeAngles rope) {
        return new ArrayList<>(Collections.nCopies(layers, new LayerAttention(rope, 0)));
    }
}
