package io.hydra4j.runtime;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.hydra4j.runtime.LibraryLoadException.Reason;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NativeLibraryTest {
    @TempDir
    Path folder;

    @Test
    void extractsToAFolderOfThisUserAloneAndDeletesIt() throws IOException {
        Path extracted;
        try (LibraryFiles files = LibraryFiles.extract()) {
            extracted = files.folder();
            assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(extracted)));
            assertEquals(2, ForkedJvm.list(extracted).size());
        }
        assertFalse(Files.exists(extracted));
    }

    @Test
    void leavesNothingInTheTemporaryFolderOrTheHomeFolder() throws Exception {
        Path temporary = Files.createDirectory(folder.resolve("tmp"));
        Path home = Files.createDirectory(folder.resolve("home"));
        String output =
                new ForkedJvm().property("java.io.tmpdir", temporary).home(home).run();
        assertTrue(output.startsWith("loaded " + temporary.resolve("hydra4j-")), output);
        assertTrue(output.contains("(deleted)"), output);
        assertEquals(
                List.of(),
                ForkedJvm.list(temporary).stream().filter(this::isOurs).toList());
        assertEquals(List.of(), ForkedJvm.list(home));
    }

    private boolean isOurs(Path file) {
        // The JVM keeps its own counters there.
        return !file.getFileName().toString().startsWith("hsperfdata_");
    }

    @Test
    void loadsWithoutAHomeFolder() throws Exception {
        String output = new ForkedJvm().home(Path.of("/proc/nobody")).run();
        assertTrue(output.startsWith("loaded "), output);
    }

    @Test
    void loadsFromTheFolderThatThePropertyNames() throws Exception {
        Path libraries = ForkedJvm.libraries();
        String output = new ForkedJvm()
                .property(NativeLibrary.PATH_PROPERTY, libraries)
                .property("java.io.tmpdir", folder.resolve("absent"))
                .run();
        assertTrue(output.startsWith("loaded " + libraries.resolve("libhydra4j.so")), output);
    }

    @Test
    void namesTheFileThatTheFolderLacks() throws Exception {
        Files.copy(ForkedJvm.libraries().resolve("libhydra4j.so"), folder.resolve("libhydra4j.so"));
        String output =
                new ForkedJvm().property(NativeLibrary.PATH_PROPERTY, folder).run();
        assertEquals(
                "FILE_MISSING hydra4j.library.path names " + folder
                        + ", which has no libjnihydra4j.so\nagain FILE_MISSING",
                output);
    }

    @Test
    void saysWhatToSetWhenTheTemporaryFolderCannotBeWritten() throws Exception {
        String output = new ForkedJvm()
                .property("java.io.tmpdir", folder.resolve("absent"))
                .run();
        assertTrue(output.startsWith("EXTRACTION_FAILED "), output);
        assertAll(
                () -> assertTrue(output.contains("java.io.tmpdir"), output),
                () -> assertTrue(output.contains(NativeLibrary.PATH_PROPERTY), output));
    }

    @Test
    void refusesAFileThatIsNoLibrary() throws Exception {
        for (String name : LibraryFiles.NAMES) {
            Files.writeString(folder.resolve(name), "not a library");
        }
        String output =
                new ForkedJvm().property(NativeLibrary.PATH_PROPERTY, folder).run();
        assertTrue(output.contains("LINK cannot load " + folder.resolve("libhydra4j.so")), output);
    }

    @Test
    void refusesALibraryOfAnotherVersion() throws Exception {
        Path source = Files.writeString(folder.resolve("fake.c"), "int hydra_abi_version(void) { return 999; }\n");
        assumeTrue(
                compile(source, folder.resolve("libhydra4j.so")),
                "there is no gcc to build a library of another version");
        Files.copy(ForkedJvm.libraries().resolve("libjnihydra4j.so"), folder.resolve("libjnihydra4j.so"));
        String output =
                new ForkedJvm().property(NativeLibrary.PATH_PROPERTY, folder).run();
        assertTrue(output.startsWith("ABI_MISMATCH the native library has ABI version 999"), output);
        assertTrue(output.endsWith("again ABI_MISMATCH"), output);
    }

    private static boolean compile(Path source, Path library) throws InterruptedException {
        try {
            return new ProcessBuilder(
                                    "gcc",
                                    "-shared",
                                    "-fPIC",
                                    "-Wl,-soname,libhydra4j.so",
                                    "-o",
                                    library.toString(),
                                    source.toString())
                            .inheritIO()
                            .start()
                            .waitFor()
                    == 0;
        } catch (IOException absent) {
            return false;
        }
    }

    @Test
    void refusesPlatformsWithoutALibrary() {
        assertEquals(
                Reason.UNSUPPORTED_PLATFORM,
                assertThrows(LibraryLoadException.class, () -> NativeLibrary.requirePlatform("Mac OS X", "aarch64"))
                        .reason());
        assertThrows(LibraryLoadException.class, () -> NativeLibrary.requirePlatform("Linux", "aarch64"));
        NativeLibrary.requirePlatform("Linux", "amd64");
    }

    @Test
    void explainsWhyTheLinkerRefused() {
        Path file = Path.of("/tmp/x/libhydra4j.so");
        LibraryLoadException noexec = LibraryFiles.refused(
                file, new UnsatisfiedLinkError(file + ": failed to map segment from shared object"));
        assertEquals(Reason.NOEXEC, noexec.reason());
        assertTrue(noexec.getMessage().contains("java.io.tmpdir"));
        LibraryLoadException old =
                LibraryFiles.refused(file, new UnsatisfiedLinkError(file + ": version `GLIBC_2.38' not found"));
        assertEquals(Reason.LINK, old.reason());
        assertTrue(old.getMessage().contains("glibc"));
    }
}
