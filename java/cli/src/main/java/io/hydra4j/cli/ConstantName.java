package io.hydra4j.cli;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** The names that the constants of an enumeration have on the command line: their own, in small letters, with + for "and". */
abstract class ConstantName<E extends Enum<E>> implements ITypeConverter<E> {
    private final Class<E> type;

    ConstantName(Class<E> type) {
        this.type = type;
    }

    static String of(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT).replace("_and_", "+");
    }

    @Override
    public E convert(String name) {
        return Arrays.stream(type.getEnumConstants())
                .filter(constant -> of(constant).equals(name))
                .findFirst()
                .orElseThrow(() -> new TypeConversionException("must be one of "
                        + Arrays.stream(type.getEnumConstants())
                                .map(ConstantName::of)
                                .collect(Collectors.joining(", "))));
    }
}
