package io.hydra4j.train;

import io.hydra4j.train.device.TrainBuffer;
import java.util.HashMap;
import java.util.Map;

/** Parameters and their gradients by name, each a part of one buffer. They are closed with the device. */
final class ParameterViews {
    private final Map<String, TrainBuffer> values = new HashMap<>();
    private final Map<String, TrainBuffer> gradients = new HashMap<>();

    /**
     * @param values {@code [layout.count()]}
     * @param gradients {@code [layout.count()]}
     */
    ParameterViews(HeadParameters layout, TrainBuffer values, TrainBuffer gradients) {
        for (Parameter parameter : layout.all()) {
            TrainBuffer value = values.view(parameter.offset(), parameter.count());
            TrainBuffer gradient = gradients.view(parameter.offset(), parameter.count());
            for (String name : parameter.names()) {
                this.values.put(name, value);
                this.gradients.put(name, gradient);
            }
        }
    }

    /** A parameter, or null if there is none of this name. */
    TrainBuffer value(String name) {
        return values.get(name);
    }

    /** A parameter's gradient, or null if there is none of this name. */
    TrainBuffer gradient(String name) {
        return gradients.get(name);
    }
}
