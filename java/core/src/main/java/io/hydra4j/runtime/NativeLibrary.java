package io.hydra4j.runtime;

import io.hydra4j.runtime.LibraryLoadException.Reason;
import io.hydra4j.runtime.bindings.Native;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;

/**
 * Loads the native library, once per class loader: from the folder that the system property {@value #PATH_PROPERTY} names,
 * or else from the jar by way of a private folder in {@code java.io.tmpdir} that is gone when this returns. No property of
 * another library stays changed. Thread-safe.
 */
public final class NativeLibrary {
    /**
     * System property: a folder that holds {@code libhydra4j.so}, {@code libjnihydra4j.so}, where CUDA is used
     * {@code libhydra4j_cuda.so}, and {@code libtokenizers.so}; then nothing is extracted. Where the last one is not in it, it is
     * extracted nevertheless when a tokenizer is opened.
     */
    public static final String PATH_PROPERTY = "hydra4j.library.path";

    private static final String JAVACPP = "/org/bytedeco/javacpp/linux-x86_64/libjnijavacpp.so";

    /** What the bindings take and return. */
    private static final List<Class<?>> JAVACPP_CLASSES =
            List.of(Pointer.class, IntPointer.class, LongPointer.class, FloatPointer.class);

    private static volatile boolean loaded;
    private static boolean complete;
    private static LibraryLoadException failure;

    private NativeLibrary() {}

    /**
     * Loads the library unless it is loaded already. Every class of this package does so by itself; call it to fail early.
     *
     * @throws LibraryLoadException if the library cannot be loaded here; later calls throw it again
     */
    public static synchronized void load() {
        if (complete) {
            return;
        }
        if (failure != null) {
            throw new LibraryLoadException(failure.reason(), failure.getMessage(), failure);
        }
        try {
            loadOnce();
            complete = true;
        } catch (LibraryLoadException exception) {
            failure = exception;
            throw exception;
        }
    }

    /**
     * Tells where the library of the CUDA backend lies, for libraries that share it.
     *
     * @return the absolute path that means it to this process
     * @throws LibraryLoadException if the native library cannot be loaded
     * @throws NativeException with status {@code UNAVAILABLE} and the reason if CUDA cannot be used
     */
    public static String cudaLibrary() {
        return CudaLibrary.path();
    }

    /**
     * Used by the generated bindings.
     *
     * @throws IllegalStateException if the library is not loaded
     */
    public static void requireLoaded() {
        if (!loaded) {
            throw new IllegalStateException("the native library is not loaded: call NativeLibrary.load() first");
        }
    }

    private static void loadOnce() {
        requirePlatform(System.getProperty("os.name", ""), System.getProperty("os.arch", ""));
        initializeJavaCpp();
        String folder = System.getProperty(PATH_PROPERTY, "");
        if (!folder.isEmpty()) {
            loadFrom(Path.of(folder));
        } else {
            try (LibraryFiles files = LibraryFiles.extract()) {
                files.load();
            }
        }
        loaded = true;
        requireAbi("the native library", Native.hydra_abi_version(), Native.HYDRA_ABI_VERSION);
        requireJavaCppNatives();
    }

    private static void loadFrom(Path folder) {
        requireFiles(folder, LibraryFiles.NAMES);
        LibraryFiles.NAMES.forEach(name -> LibraryFiles.load(folder.resolve(name)));
    }

    private static void requireFiles(Path folder, List<String> names) {
        for (String name : names) {
            if (!Files.isRegularFile(folder.resolve(name))) {
                throw new LibraryLoadException(
                        Reason.FILE_MISSING, PATH_PROPERTY + " names " + folder + ", which has no " + name, null);
            }
        }
    }

    /**
     * Loads the native libraries of another module of Hydra4J, after its own and as it does them: from the folder that {@value
     * #PATH_PROPERTY} names, or else extracted from that module's jar.
     *
     * @param module a class of that module
     * @param names file names, in the order of loading
     * @param load calls {@link System#load} of a path, from a class of that module: JNI binds a library to the class loader of the caller
     * @throws LibraryLoadException if a library cannot be loaded here
     */
    public static void load(Class<?> module, List<String> names, Consumer<String> load) {
        load();
        String folder = System.getProperty(PATH_PROPERTY, "");
        if (!folder.isEmpty()) {
            requireFiles(Path.of(folder), names);
            names.forEach(name -> LibraryFiles.load(Path.of(folder, name), load));
            return;
        }
        try (LibraryFiles files = LibraryFiles.extract(names, name -> LibraryFiles.resource(module, name))) {
            names.forEach(name -> LibraryFiles.load(files.folder().resolve(name), load));
        }
    }

    static void requirePlatform(String system, String processor) {
        if (!system.equals("Linux") || !(processor.equals("amd64") || processor.equals("x86_64"))) {
            throw new LibraryLoadException(
                    Reason.UNSUPPORTED_PLATFORM,
                    "no native library for " + system + " on " + processor + ": supported is Linux on x86-64",
                    null);
        }
    }

    /**
     * Compares the numbers of the C ABI that a native library and the classes over it have.
     *
     * @param library what the message calls it
     * @param found the library's
     * @param needed that of the classes
     * @throws LibraryLoadException if they differ
     */
    public static void requireAbi(String library, int found, int needed) {
        if (found != needed) {
            throw new LibraryLoadException(
                    Reason.ABI_MISMATCH,
                    library + " has ABI version " + found + ", these classes need " + needed
                            + ": use a library of the same build",
                    null);
        }
    }

    /**
     * Initialises JavaCPP's classes without the search for JavaCPP's own library where that is not packaged: it could
     * only fail, and would leave an empty cache folder in the home directory. Our JNI library contains the same code. JavaCPP
     * takes this from a system property alone, which is changed for as long as they initialise. JavaCPP's guard on
     * physical memory is left as it is: it watches what is allocated by way of JavaCPP, and nothing here is.
     */
    private static void initializeJavaCpp() {
        String property = "org.bytedeco.javacpp.loadLibraries";
        String before = System.getProperty(property);
        boolean packaged = Pointer.class.getResource(JAVACPP) != null;
        try {
            if (!packaged) {
                System.setProperty(property, "false");
            }
            for (Class<?> type : JAVACPP_CLASSES) {
                Class.forName(type.getName(), true, type.getClassLoader());
            }
        } catch (ClassNotFoundException impossible) {
            throw new NoClassDefFoundError(impossible.getMessage());
        } finally {
            if (!packaged) {
                if (before == null) {
                    System.clearProperty(property);
                } else {
                    System.setProperty(property, before);
                }
            }
        }
    }

    /** JNI finds JavaCPP's native methods only in libraries that the class loader of JavaCPP's classes has loaded. */
    private static void requireJavaCppNatives() {
        try {
            Pointer.totalPhysicalBytes();
        } catch (UnsatisfiedLinkError error) {
            throw new LibraryLoadException(
                    Reason.LINK,
                    "JavaCPP's classes come from another class loader than Hydra4J's, without their natives: let one"
                            + " class loader load both",
                    error);
        }
    }
}
