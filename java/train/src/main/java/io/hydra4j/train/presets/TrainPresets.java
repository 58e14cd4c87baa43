package io.hydra4j.train.presets;

import org.bytedeco.javacpp.annotation.Platform;
import org.bytedeco.javacpp.annotation.Properties;
import org.bytedeco.javacpp.tools.Info;
import org.bytedeco.javacpp.tools.InfoMap;
import org.bytedeco.javacpp.tools.InfoMapper;

/**
 * Tells JavaCPP how to bind {@code native/include/hydra4j/train.h}, as {@code HydraPresets} of the core do its headers. Used by
 * the build; the classes that it generates go to {@code io.hydra4j.train.bindings}.
 */
@Properties(
        value =
                @Platform(
                        value = "linux-x86_64",
                        compiler = "cpp17",
                        define = "STRING_BYTES_CHARSET \"UTF-8\"",
                        include = "hydra4j/train.h",
                        link = "hydra4j_train"),
        target = "io.hydra4j.train.bindings",
        global = "io.hydra4j.train.bindings.NativeTrain")
public class TrainPresets implements InfoMapper {
    @Override
    public void map(InfoMap info) {
        info.put(new Info("HYDRA_API").cppTypes().annotations());
        info.put(new Info("hydra_status", "hydra_train_type", "hydra_train_products", "hydra_train_sum")
                .cast()
                .valueTypes("int"));
        info.put(new Info("const char").valueTypes("byte").pointerTypes("String", "@Cast(\"const char*\") byte[]"));
        // Arrays of both kinds of elements, and pointers for anything else.
        info.put(new Info("const void").pointerTypes("@Const Pointer", "@Const float[]", "@Const int[]"));
        info.put(new Info("void").valueTypes("void").pointerTypes("Pointer", "float[]", "int[]"));
    }
}
