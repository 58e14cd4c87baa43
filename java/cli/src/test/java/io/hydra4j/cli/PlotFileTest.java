package io.hydra4j.cli;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.HydraException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PlotFileTest {
    @ParameterizedTest
    @ValueSource(strings = {"a.png", "a.SVG", "folder.x/a.svg"})
    void pngAndSvgArePlots(String name) {
        assertDoesNotThrow(() -> PlotFile.require(Path.of(name)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"a.pdf", "png", "a.png.txt"})
    void otherEndingsAreWrongUsage(String name) {
        assertThrows(UsageException.class, () -> PlotFile.require(Path.of(name)));
    }

    @Test
    void aJavaWithoutGraphicsIsToldBeforeAnythingIsMeasured() {
        HydraException refused =
                assertThrows(HydraException.class, () -> PlotFile.requireGraphics(ModuleLayer.empty()));
        assertTrue(refused.getMessage().contains("java.desktop"), refused.getMessage());
    }
}
