package io.hydra4j.runtime.presets;

import org.bytedeco.javacpp.annotation.Platform;
import org.bytedeco.javacpp.annotation.Properties;
import org.bytedeco.javacpp.tools.Info;
import org.bytedeco.javacpp.tools.InfoMap;
import org.bytedeco.javacpp.tools.InfoMapper;

/**
 * Tells JavaCPP how to bind the C ABI in {@code native/include}: handles become opaque pointer classes, status codes and
 * types become ints, and memory is passed as pointers or arrays. Used by the build; the classes that it
 * generates go to {@code io.hydra4j.runtime.bindings}.
 */
@Properties(
        value =
                @Platform(
                        value = "linux-x86_64",
                        compiler = "cpp17",
                        define = "STRING_BYTES_CHARSET \"UTF-8\"",
                        include = {
                            "hydra4j/status.h",
                            "hydra4j/allocation.h",
                            "hydra4j/backend.h",
                            "hydra4j/buffer.h",
                            "hydra4j/matrix.h",
                            "hydra4j/sequence.h",
                            "hydra4j/sampling.h",
                            "hydra4j/stream.h",
                            "hydra4j/program.h"
                        },
                        link = "hydra4j"),
        target = "io.hydra4j.runtime.bindings",
        global = "io.hydra4j.runtime.bindings.Native")
public class HydraPresets implements InfoMapper {
    @Override
    public void map(InfoMap info) {
        info.put(new Info("HYDRA_API").cppTypes().annotations());
        info.put(new Info("hydra_status", "hydra_type").cast().valueTypes("int"));
        // Read through one buffer view instead of a native call per field.
        info.put(new Info("hydra_step_result").skip().cast().pointerTypes("Pointer"));
        info.put(new Info("const char").valueTypes("byte").pointerTypes("String", "@Cast(\"const char*\") byte[]"));
        // Four and five: every source is offered with every target, as JavaCPP walks both lists side by side. Arrays,
        // as of a NIO
        // buffer on the heap the generated code asks for the array without checking for an exception, which -Xcheck:jni
        // reports.
        info.put(new Info("const void")
                .pointerTypes("@Const Pointer", "@Const byte[]", "@Const float[]", "@Const int[]"));
        info.put(new Info("void")
                .valueTypes("void")
                .pointerTypes("Pointer", "byte[]", "float[]", "int[]", "ByteBuffer"));
    }
}
