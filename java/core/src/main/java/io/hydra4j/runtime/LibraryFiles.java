package io.hydra4j.runtime;

import io.hydra4j.HydraException;
import io.hydra4j.runtime.LibraryLoadException.Reason;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.function.Consumer;

/** Packed libraries as files in a folder that only this user can read, until {@link #close()} deletes them. */
final class LibraryFiles implements AutoCloseable {
    /** File names in the order of loading: the second one needs the first. */
    static final List<String> NAMES = List.of("libhydra4j.so", "libjnihydra4j.so");

    private static final String RESOURCES = "/META-INF/native/linux-x86_64/";

    private final Path folder;
    private final List<String> names;

    private LibraryFiles(Path folder, List<String> names) {
        this.folder = folder;
        this.names = names;
    }

    /** Where the bytes of a library come from. */
    interface Source {
        /** @return the bytes, to be closed by the caller; null if there is no such library */
        InputStream open(String name) throws IOException;
    }

    /** Writes the libraries that are loaded together, which this module has; as {@link #extract(List, Source)}. */
    static LibraryFiles extract() {
        return extract(NAMES, name -> resource(LibraryFiles.class, name));
    }

    /** @return the packed library of that name in the module of a class; null if there is none */
    static InputStream resource(Class<?> module, String name) {
        return module.getResourceAsStream(RESOURCES + name);
    }

    /**
     * Writes libraries to a new folder of mode 0700 in {@code java.io.tmpdir}.
     *
     * @throws LibraryLoadException if a library is missing or a file cannot be written
     */
    static LibraryFiles extract(List<String> names, Source source) {
        Path temporary = Path.of(System.getProperty("java.io.tmpdir", "/tmp"));
        LibraryFiles files;
        try {
            files = new LibraryFiles(
                    Files.createTempDirectory(
                            temporary,
                            "hydra4j-",
                            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"))),
                    names);
        } catch (IOException | UnsupportedOperationException cause) {
            throw extractionFailed(temporary, cause);
        }
        try {
            for (String name : names) {
                files.extract(name, source);
            }
            return files;
        } catch (IOException cause) {
            files.close();
            throw extractionFailed(temporary, cause);
        } catch (HydraException exception) {
            files.close();
            throw exception;
        }
    }

    private static LibraryLoadException extractionFailed(Path temporary, Exception cause) {
        return new LibraryLoadException(
                Reason.EXTRACTION_FAILED,
                "cannot write the native library to " + temporary + " (" + cause
                        + "): set java.io.tmpdir to a writable folder, or " + NativeLibrary.PATH_PROPERTY
                        + " to one that holds the library",
                cause);
    }

    private void extract(String name, Source source) throws IOException {
        try (InputStream resource = source.open(name)) {
            if (resource == null) {
                throw new LibraryLoadException(
                        Reason.RESOURCE_MISSING, "the jar is incomplete: it has no " + RESOURCES + name, null);
            }
            // Fails if the file exists.
            Files.copy(resource, folder.resolve(name));
        }
    }

    Path folder() {
        return folder;
    }

    /** @throws LibraryLoadException if the dynamic linker refuses a library */
    void load() {
        for (String name : names) {
            load(folder.resolve(name));
        }
    }

    @SuppressWarnings("restricted")
    static void load(Path file) {
        load(file, System::load);
    }

    /** @param load calls {@link System#load}; as {@link #load(Path)} */
    static void load(Path file, Consumer<String> load) {
        try {
            load.accept(file.toAbsolutePath().toString());
        } catch (UnsatisfiedLinkError error) {
            throw refused(file, error);
        }
    }

    static LibraryLoadException refused(Path file, UnsatisfiedLinkError error) {
        String message = String.valueOf(error.getMessage());
        if (message.contains("failed to map segment") || message.contains("Operation not permitted")) {
            return new LibraryLoadException(
                    Reason.NOEXEC,
                    file.getParent()
                            + " does not allow executable files (mounted noexec?): set java.io.tmpdir to another"
                            + " folder, or " + NativeLibrary.PATH_PROPERTY + " to one that holds the library",
                    error);
        }
        String hint = message.contains("GLIBC_")
                ? ": the C library (glibc) of this system is older than the one that the library was built with"
                : message.contains("ld-linux") || message.contains("musl")
                        ? ": the library needs glibc, and this system has another C library"
                        : "";
        return new LibraryLoadException(Reason.LINK, "cannot load " + message + hint, error);
    }

    /** Deletes the folder. A library that is loaded stays loaded. */
    @Override
    public void close() {
        try {
            for (String name : names) {
                Files.deleteIfExists(folder.resolve(name));
            }
            Files.deleteIfExists(folder);
        } catch (IOException cause) {
            System.getLogger(LibraryFiles.class.getPackageName())
                    .log(System.Logger.Level.WARNING, "cannot delete " + folder + ": " + cause);
        }
    }
}
