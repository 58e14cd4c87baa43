package io.hydra4j.cli;

import io.hydra4j.Method;
import java.util.Arrays;
import java.util.List;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** The names that decoding methods have on the command line. */
final class MethodName implements ITypeConverter<Method> {
    private static List<String> names() {
        return Arrays.stream(Method.values()).map(Method::toString).toList();
    }

    @Override
    public Method convert(String name) {
        return Arrays.stream(Method.values())
                .filter(method -> method.toString().equals(name))
                .findFirst()
                .orElseThrow(() -> new TypeConversionException("must be one of " + String.join(", ", names())));
    }
}
