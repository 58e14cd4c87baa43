package io.hydra4j.text.jinja;

import java.util.List;

/** What a loop knows of where it is. */
final class Loop implements Callable {
    private final List<Object> items;
    private final int depth;
    private final Callable again;
    private int index;
    private Object last;
    private boolean hasLast;

    /** @param again goes through other elements in the same way; null where the loop is not recursive */
    Loop(List<Object> items, int depth, Callable again) {
        this.items = items;
        this.depth = depth;
        this.again = again;
    }

    void at(int next) {
        index = next;
    }

    Object attribute(String name) {
        int length = items.size();
        return switch (name) {
            case "index" -> index + 1L;
            case "index0" -> (long) index;
            case "revindex" -> (long) length - index;
            case "revindex0" -> length - index - 1L;
            case "first" -> index == 0;
            case "last" -> index == length - 1;
            case "length" -> (long) length;
            case "depth" -> depth + 1L;
            case "depth0" -> (long) depth;
            case "previtem" -> index > 0 ? items.get(index - 1) : new Undefined("there is no previous element");
            case "nextitem" -> index < length - 1 ? items.get(index + 1) : new Undefined("there is no next element");
            case "cycle" -> (Callable) this::cycle;
            case "changed" -> (Callable) this::changed;
            default -> new Undefined("loop has no '" + name + "'");
        };
    }

    private Object cycle(Arguments arguments, Run run) {
        List<Object> values = arguments.positional();
        if (values.isEmpty()) {
            throw new Failure("cycle() needs an argument");
        }
        return values.get(index % values.size());
    }

    private Object changed(Arguments arguments, Run run) {
        Object now = new Tuple(arguments.positional());
        boolean isSame = hasLast && Comparisons.equal(now, last, run.budget());
        last = now;
        hasLast = true;
        return !isSame;
    }

    @Override
    public Object call(Arguments arguments, Run run) {
        if (again == null) {
            throw new Failure("loop() needs a loop that is 'recursive'");
        }
        return again.call(arguments, run);
    }
}
