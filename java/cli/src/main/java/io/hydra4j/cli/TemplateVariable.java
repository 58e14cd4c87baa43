package io.hydra4j.cli;

import io.hydra4j.FormatException;
import io.hydra4j.format.StrictJson;
import java.nio.file.Path;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * One {@code NAME=VALUE} of {@code --set}.
 *
 * @param name of the variable
 * @param value what JSON makes of it, or else the text itself
 */
record TemplateVariable(String name, Object value) {
    static final class Converter implements ITypeConverter<TemplateVariable> {
        @Override
        public TemplateVariable convert(String argument) {
            int equals = argument.indexOf('=');
            if (equals < 1) {
                throw new TypeConversionException("'" + argument + "' is no NAME=VALUE, such as enable_thinking=false");
            }
            String text = TextSource.argument(argument.substring(equals + 1));
            return new TemplateVariable(argument.substring(0, equals), value(text));
        }

        private static Object value(String text) {
            try {
                return StrictJson.value(Path.of("--set"), "value", text);
            } catch (FormatException e) {
                return text;
            }
        }
    }
}
