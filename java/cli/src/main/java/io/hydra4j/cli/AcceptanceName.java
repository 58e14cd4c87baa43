package io.hydra4j.cli;

import io.hydra4j.decode.Acceptance;
import java.util.function.Function;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** What {@code --accept} can be: {@code exact}, or {@code typical}, {@code typical:EPSILON} or {@code typical:EPSILON,ALPHA}. */
final class AcceptanceName implements ITypeConverter<Acceptance> {
    private static final String EXACT = "exact";
    private static final String TYPICAL = "typical";

    /** {@return the name without numbers} */
    static String of(Acceptance acceptance) {
        return acceptance.isTypical() ? TYPICAL : EXACT;
    }

    @Override
    public Acceptance convert(String name) {
        if (name.equals(EXACT)) {
            return Acceptance.exact();
        }
        if (name.equals(TYPICAL)) {
            return Acceptance.typical();
        }
        if (!name.startsWith(TYPICAL + ":")) {
            throw new TypeConversionException(
                    "'" + name + "' must be exact, typical, typical:EPSILON or typical:EPSILON,ALPHA");
        }
        String numbers = name.substring(TYPICAL.length() + 1);
        int comma = numbers.indexOf(',');
        if (comma < 0) {
            return typical("epsilon", numbers, Acceptance::typical);
        }
        Acceptance withEpsilon = typical("epsilon", numbers.substring(0, comma), Acceptance::typical);
        return typical(
                "alpha", numbers.substring(comma + 1), alpha -> Acceptance.typical(withEpsilon.epsilon(), alpha));
    }

    private static Acceptance typical(String name, String number, Function<Float, Acceptance> make) {
        try {
            return make.apply(Float.valueOf(number));
        } catch (IllegalArgumentException e) { // of which a text that is no number is one, too
            throw new TypeConversionException(
                    name + " of typical is '" + number + "', must be a number above 0, at most 1");
        }
    }
}
