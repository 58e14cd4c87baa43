package io.hydra4j;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.golden.TestData;
import io.hydra4j.runtime.ForkedJvm;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The JVM, the home folder and the folder for temporary files are shared with others, and may be closed to us. */
class GuestTest {
    /** No user can write there, not even root. */
    private static final Path UNWRITABLE = Path.of("/proc/nobody");

    private static final String TOKENIZERS = "libtokenizers.so";
    private static final String GENERATED = "tokens 5\nOPT_OUT_TRACKING=true";

    @TempDir
    Path folder;

    private static ForkedJvm jvm() {
        return new ForkedJvm(GuestMain.class).arguments(TestData.odd());
    }

    private Path libraries() throws IOException {
        for (Path library : ForkedJvm.list(ForkedJvm.libraries())) {
            Files.copy(library, folder.resolve(library.getFileName()));
        }
        return folder;
    }

    @Test
    void ofAllPropertiesOnlyThatOfDjlsTrackingIsAnotherOneAfterwards() throws Exception {
        assertEquals(GENERATED, jvm().run());
    }

    @Test
    void whoWantsDjlsTrackingKeepsIt() throws Exception {
        assertEquals("tokens 5", jvm().property("OPT_OUT_TRACKING", "false").run());
    }

    @Test
    void javaCppsLimitsOnMemoryMayBeAsLowAsTheyLike() throws Exception {
        String output = jvm().property("org.bytedeco.javacpp.maxPhysicalBytes", 1)
                .property("org.bytedeco.javacpp.maxBytes", 1)
                .run();
        assertEquals(GENERATED, output);
    }

    @Test
    void nothingIsLeftInTheHomeFolder() throws Exception {
        assertEquals(GENERATED, jvm().home(folder).run());
        assertEquals(List.of(), ForkedJvm.list(folder));
    }

    @Test
    void oneFolderWithAllLibrariesIsEnoughWhereNothingCanBeWritten() throws Exception {
        try (InputStream packed = GuestTest.class.getResourceAsStream("/native/lib/linux-x86_64/cpu/" + TOKENIZERS)) {
            Files.copy(packed, folder.resolve(TOKENIZERS));
        }
        String output = jvm().property("hydra4j.library.path", libraries())
                .property("java.io.tmpdir", UNWRITABLE)
                .home(UNWRITABLE)
                .run();
        assertEquals(GENERATED, output);
    }

    @Test
    void aTokenizerLibraryThatIsNowhereIsReportedWithTheRemedy() throws Exception {
        String output = jvm().property("hydra4j.library.path", libraries())
                .property("java.io.tmpdir", UNWRITABLE)
                .home(UNWRITABLE)
                .run();
        assertAll(
                () -> assertTrue(output.startsWith("failed "), output),
                () -> assertTrue(output.contains(TOKENIZERS), output),
                () -> assertTrue(output.contains("java.io.tmpdir"), output),
                () -> assertTrue(output.contains("hydra4j.library.path"), output),
                () -> assertFalse(output.contains("\tat "), output));
    }
}
