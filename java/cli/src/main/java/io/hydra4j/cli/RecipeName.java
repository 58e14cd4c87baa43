package io.hydra4j.cli;

import io.hydra4j.train.Recipe;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** The names that recipes have on the command line. */
final class RecipeName implements ITypeConverter<Recipe> {
    @Override
    public Recipe convert(String name) {
        return switch (name) {
            case "medusa" -> Recipe.MEDUSA;
            case "hydra" -> Recipe.HYDRA;
            case "hydra++" -> Recipe.HYDRA_PLUS_PLUS;
            default -> throw new TypeConversionException("must be one of medusa, hydra, hydra++");
        };
    }
}
