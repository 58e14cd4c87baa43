package io.hydra4j.train;

import com.fasterxml.jackson.core.JsonEncoding;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.hydra4j.format.SafetensorsWriter;
import io.hydra4j.format.TensorType;
import io.hydra4j.format.WholeFile;
import io.hydra4j.runtime.WeightType;
import io.hydra4j.train.HeadsDesign.Kind;
import io.hydra4j.train.HeadsDesign.LmHead;
import io.hydra4j.train.device.TrainBuffer;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;

/** Writes heads as a folder with the published names, BF16, that the library opens at once. */
final class HeadsFolder {
    /** Values that are converted at a time. */
    private static final int CHUNK = 1 << 20;

    private final Path folder;
    private final HeadsDesign design;
    private final HeadParameters layout;
    private final String baseName;
    private final int vocabulary;
    private final int[] draftVocabulary;

    /**
     * @param vocabulary the base's
     * @param draftVocabulary token ids of the rows of LM heads; null for all
     */
    HeadsFolder(
            Path folder,
            HeadsDesign design,
            HeadParameters layout,
            String baseName,
            int vocabulary,
            int[] draftVocabulary) {
        this.folder = folder;
        this.design = design;
        this.layout = layout;
        this.baseName = baseName;
        this.vocabulary = vocabulary;
        this.draftVocabulary = draftVocabulary;
    }

    /** Deletes what writes have left whose process was killed. Nobody may be writing. */
    void deleteRemains() {
        WholeFile.deleteRemains(config());
        WholeFile.deleteRemains(heads());
    }

    private Path config() {
        return folder.resolve("config.json");
    }

    private Path heads() {
        return folder.resolve(layout.fileName());
    }

    /**
     * Writes the heads as they are; those that are there are replaced as a whole.
     *
     * @param values {@code [layout.count()]}
     * @throws io.hydra4j.HydraException if they cannot be written
     */
    void write(TrainBuffer values) {
        WholeFile.write(config(), this::writeConfig);
        SafetensorsWriter writer = new SafetensorsWriter();
        for (Parameter parameter : layout.all()) {
            for (String name : parameter.names()) {
                writer.tensor(name, TensorType.BF16, parameter.shape(), out -> write(values, parameter, out));
            }
        }
        writer.write(heads());
    }

    private static void write(TrainBuffer values, Parameter parameter, OutputStream out) throws IOException {
        for (long done = 0; done < parameter.count(); ) {
            float[] chunk = new float[(int) Math.min(CHUNK, parameter.count() - done)];
            values.download(parameter.offset() + done, chunk);
            out.write(WeightType.BF16.encode(chunk));
            done += chunk.length;
        }
    }

    private void writeConfig(OutputStream out) throws IOException {
        try (JsonGenerator json = new JsonFactory().createGenerator(out, JsonEncoding.UTF8)) {
            json.useDefaultPrettyPrinter();
            json.writeStartObject();
            json.writeStringField("base_model_name_or_path", baseName);
            if (design.kind() == Kind.MEDUSA) {
                json.writeNumberField("medusa_num_heads", design.heads());
                json.writeNumberField("medusa_num_layers", design.blocks());
            } else {
                json.writeNumberField("hydra_num_heads", design.heads());
                json.writeNumberField("hydra_num_layers", design.blocks());
                json.writeStringField("hydra_head_arch", design.hasPrefixLayer() ? "prefix-mlp" : "mlp");
                json.writeBooleanField("grounded_heads", true);
                json.writeNumberField("hidden_state_offset", 0);
                json.writeStringField("lm_head", design.lmHead() == LmHead.BASE ? "base" : "private");
            }
            if (draftVocabulary != null) {
                json.writeNumberField("vocab_size", vocabulary);
                json.writeFieldName("draft_vocabulary");
                json.writeArray(draftVocabulary, 0, draftVocabulary.length);
            }
            json.writeEndObject();
        }
    }
}
