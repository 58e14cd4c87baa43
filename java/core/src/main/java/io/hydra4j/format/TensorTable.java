package io.hydra4j.format;

import io.hydra4j.FormatException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;

/**
 * The tensors of a model or of a set of heads, of one file or several, looked up by name with a check of their shape.
 * Immutable, so safe to share between threads.
 */
public sealed class TensorTable {
    private final Path source;
    private final Map<String, Tensor> tensors;
    private final Map<String, String> otherTypes;

    /**
     * @param source the file or folder that errors name where a tensor is missing
     * @param tensors the tensors by name
     * @param otherTypes tensors that are there in a type that this library does not read: name to type. They matter only
     *     when asked for
     */
    public TensorTable(Path source, Map<String, Tensor> tensors, Map<String, String> otherTypes) {
        this.source = source;
        this.tensors = Collections.unmodifiableMap(new LinkedHashMap<>(tensors));
        this.otherTypes = Map.copyOf(otherTypes);
    }

    /**
     * A table that has every tensor that is asked for by name and shape, though no file holds it: for weights that are made and
     * not read. It has none of those that a model need not have.
     *
     * @param source stands for the file
     * @param matrices the type of matrices; Q8_0 is that of those whose rows are not whole blocks of it, vectors are F32
     */
    public static TensorTable ofAny(String source, TensorType matrices) {
        return new Any(Path.of(source), matrices);
    }

    private static final class Any extends TensorTable {
        private final TensorType matrices;

        Any(Path source, TensorType matrices) {
            super(source, Map.of(), Map.of());
            this.matrices = matrices;
        }

        @Override
        public Tensor require(String name, long... shape) {
            boolean whole = shape[shape.length - 1] % matrices.blockValues() == 0;
            var type = shape.length == 1 ? TensorType.F32 : whole ? matrices : TensorType.Q8_0;
            return new Tensor(source(), name, type, list(shape), 0, 0);
        }
    }

    /** The file or folder that errors name where a tensor is missing. */
    public Path source() {
        return source;
    }

    /** All tensors of types that this library reads, by name, in the order of the files. */
    public Map<String, Tensor> tensors() {
        return tensors;
    }

    /** Tensors of types that this library does not read, name to type. */
    public Map<String, String> otherTypes() {
        return otherTypes;
    }

    /**
     * These tensors, and some of them under further names.
     *
     * @param same further names, each with the name of a tensor that there is
     */
    public TensorTable withSame(Map<String, String> same) {
        var all = new LinkedHashMap<>(tensors);
        same.forEach((name, of) -> {
            Tensor it = tensors.get(of);
            all.put(name, new Tensor(it.file(), name, it.type(), it.shape(), it.offset(), it.bytes()));
        });
        return new TensorTable(source, all, otherTypes);
    }

    /** Those tensors whose names begin so. */
    public TensorTable beginning(String prefix) {
        var those = new LinkedHashMap<>(tensors);
        those.keySet().removeIf(name -> !name.startsWith(prefix));
        var others = new LinkedHashMap<>(otherTypes);
        others.keySet().removeIf(name -> !name.startsWith(prefix));
        return new TensorTable(source, those, others);
    }

    /**
     * The same tensors by other names; errors still name them as their files do.
     *
     * @param rename gives the name that a tensor is found by, or null to leave it out
     */
    public TensorTable renamed(UnaryOperator<String> rename) {
        var those = new LinkedHashMap<String, Tensor>();
        tensors.forEach((name, tensor) -> put(those, rename.apply(name), tensor));
        var others = new LinkedHashMap<String, String>();
        otherTypes.forEach((name, type) -> put(others, rename.apply(name), type));
        return new TensorTable(source, those, others);
    }

    private <T> void put(Map<String, T> table, String name, T value) {
        if (name != null && table.put(name, value) != null) {
            throw new FormatException.DuplicateKey(source, name);
        }
    }

    /** Whether there is a tensor of this name, of any type. */
    public boolean has(String name) {
        return tensors.containsKey(name) || otherTypes.containsKey(name);
    }

    /**
     * A tensor that must be there.
     *
     * @param shape sizes, outermost first; none to take any shape
     * @throws FormatException.MissingField if there is none
     * @throws FormatException.UnsupportedType if it is of a type that this library does not read
     * @throws FormatException.WrongShape if it has another shape
     */
    public Tensor require(String name, long... shape) {
        var tensor = tensors.get(name);
        if (tensor != null) {
            return checkShape(tensor, shape);
        }
        if (otherTypes.containsKey(name)) {
            throw new FormatException.UnsupportedType(
                    source, name, otherTypes.get(name), "F32, F16 or BF16", "convert the file to one of these");
        }
        throw new FormatException.MissingField(
                source, name, shape.length == 0 ? "a tensor" : "a tensor " + list(shape));
    }

    /** As {@link #require}, or empty if there is no tensor of this name. */
    public Optional<Tensor> find(String name, long... shape) {
        return has(name) ? Optional.of(require(name, shape)) : Optional.empty();
    }

    /**
     * A vector that must be there, of a float type: a norm's weight or a bias.
     *
     * @throws FormatException.MissingField if there is none
     * @throws FormatException.UnsupportedType if it is not F32, F16 or BF16
     * @throws FormatException.WrongShape if it has another shape
     */
    public Tensor requireVector(String name, long length) {
        var tensor = require(name, length);
        if (!tensor.type().isFloat()) {
            throw new FormatException.UnsupportedType(
                    tensor.file(), name, tensor.type(), "F32, F16 or BF16", "only matrices can be quantised");
        }
        return tensor;
    }

    /** As {@link #requireVector}, or empty if there is no tensor of this name. */
    public Optional<Tensor> findVector(String name, long length) {
        return has(name) ? Optional.of(requireVector(name, length)) : Optional.empty();
    }

    /**
     * A matrix that must be there, of any size: what the sizes of a set of heads are taken from.
     *
     * @throws FormatException.MissingField if there is none
     * @throws FormatException.UnsupportedType if it is of a type that this library does not read
     * @throws FormatException.WrongShape if it is no matrix, or an empty one
     */
    public Tensor requireMatrix(String name) {
        var tensor = require(name);
        if (tensor.shape().size() != 2 || tensor.shape().contains(0L)) {
            throw new FormatException.WrongShape(tensor.file(), name, tensor.shape(), "[rows, columns]");
        }
        return tensor;
    }

    /**
     * Checks that every tensor of a readable type is used: one that is not means that the file describes something else than
     * its reader believes.
     *
     * @param used the tensors that are used
     * @param isIgnored the names in this table of tensors that may be left aside
     * @param expected what errors say is expected in place of the tensor
     * @param remedy what errors say can be done
     * @throws FormatException.UnsupportedType if another tensor is there
     */
    public void rejectUnused(Collection<Tensor> used, Predicate<String> isIgnored, String expected, String remedy) {
        var names = new HashSet<String>();
        used.forEach(tensor -> names.add(tensor.name()));
        tensors.forEach((name, tensor) -> {
            if (!names.contains(tensor.name()) && !isIgnored.test(name)) {
                throw new FormatException.UnsupportedType(
                        tensor.file(), tensor.name(), "a tensor of shape " + tensor.shape(), expected, remedy);
            }
        });
    }

    private static Tensor checkShape(Tensor tensor, long[] shape) {
        if (shape.length > 0 && !tensor.shape().equals(list(shape))) {
            throw new FormatException.WrongShape(tensor.file(), tensor.name(), tensor.shape(), list(shape));
        }
        return tensor;
    }

    private static List<Long> list(long[] shape) {
        var list = new ArrayList<Long>(shape.length);
        for (long size : shape) {
            list.add(size);
        }
        return list;
    }
}
