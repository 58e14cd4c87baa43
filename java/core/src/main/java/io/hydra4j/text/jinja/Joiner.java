package io.hydra4j.text.jinja;

import io.hydra4j.text.PromptText;
import java.util.List;

/** A text from the second call on. */
final class Joiner implements Callable {
    private final Object separator;
    private boolean isUsed;

    Joiner(Object separator) {
        this.separator = separator;
    }

    @Override
    public Object call(Arguments arguments, Run run) {
        boolean isFirst = !isUsed;
        isUsed = true;
        return isFirst ? PromptText.EMPTY : separator;
    }

    /** Values in turn. */
    static final class Cycler {
        private final List<Object> values;
        private int at;

        Cycler(List<Object> values) {
            if (values.isEmpty()) {
                throw new Failure("cycler() needs an argument");
            }
            this.values = values;
        }

        Object attribute(String name) {
            return switch (name) {
                case "current" -> values.get(at);
                case "next" -> (Callable) (arguments, run) -> {
                    Object value = values.get(at);
                    at = (at + 1) % values.size();
                    return value;
                };
                case "reset" -> (Callable) (arguments, run) -> {
                    at = 0;
                    return null;
                };
                default -> new Undefined("a cycler has no '" + name + "'");
            };
        }
    }
}
