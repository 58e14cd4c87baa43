package io.hydra4j.cli;

import io.hydra4j.decode.Sampling;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * One {@code ID=VALUE} of {@code --logit-bias}.
 *
 * @param token its id
 * @param value what is added to its logit
 */
record LogitBias(int token, float value) {
    static final class Converter implements ITypeConverter<LogitBias> {
        @Override
        public LogitBias convert(String argument) {
            int equals = argument.indexOf('=');
            if (equals < 0) {
                throw new TypeConversionException("'" + argument + "' is no ID=VALUE, such as 257=-5");
            }
            return new LogitBias(token(argument.substring(0, equals)), value(argument.substring(equals + 1)));
        }

        private static int token(String id) {
            try {
                int token = Integer.parseInt(id);
                if (token >= 0) {
                    return token;
                }
            } catch (NumberFormatException e) {
                // told below
            }
            throw new TypeConversionException("'" + id + "' is no token id");
        }

        private static float value(String value) {
            try {
                float bias = Float.parseFloat(value);
                if (Math.abs(bias) <= Sampling.MAX_BIAS) {
                    return bias;
                }
            } catch (NumberFormatException e) {
                // told below
            }
            throw new TypeConversionException("'" + value + "' is no number from " + Decimal.of(-Sampling.MAX_BIAS)
                    + " to " + Decimal.of(Sampling.MAX_BIAS));
        }
    }
}
