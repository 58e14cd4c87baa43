package io.hydra4j.cli;

import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** A number of things, or {@code auto}, which is 0. */
final class CountName implements ITypeConverter<Integer> {
    @Override
    public Integer convert(String value) {
        if (value.equals("auto")) {
            return 0;
        }
        try {
            int count = Integer.parseInt(value);
            if (count > 0) {
                return count;
            }
        } catch (NumberFormatException e) {
            // told below
        }
        throw new TypeConversionException("must be auto or a positive number");
    }
}
