package io.hydra4j.cli;

import io.hydra4j.runtime.WeightType;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** The names of the types that weights can be converted to. */
final class WeightName implements ITypeConverter<WeightType> {
    @Override
    public WeightType convert(String name) {
        List<WeightType> types =
                Arrays.stream(WeightType.values()).filter(WeightType::isTarget).toList();
        return types.stream()
                .filter(type -> type.name().equalsIgnoreCase(name))
                .findFirst()
                .orElseThrow(() -> new TypeConversionException("must be one of "
                        + types.stream()
                                .map(type -> type.name().toLowerCase(Locale.ROOT))
                                .collect(Collectors.joining(", "))));
    }
}
