package io.hydra4j.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import io.hydra4j.format.Tensor;
import java.io.IOException;
import java.util.List;
import java.util.Map;

/** An inspection as one JSON object. */
final class InspectionJson {
    private InspectionJson() {}

    /** One line without its line break; see {@link Json#line}. */
    static String line(Inspection inspection, boolean ascii) {
        return Json.line(ascii, json -> {
            json.writeStartObject();
            json.writeStringField("path", inspection.path().toString());
            json.writeStringField("format", inspection.format());
            json.writeStringField("use", inspection.use());
            json.writeNumberField("parameters", inspection.parameters());
            json.writeNumberField("bytes", inspection.bytes());
            if (inspection.here().isPresent()) {
                json.writeObjectFieldStart("here");
                here(json, inspection.here().get());
                json.writeEndObject();
            }
            json.writeFieldName("metadata");
            write(json, inspection.metadata());
            json.writeArrayFieldStart("tensors");
            for (Map.Entry<String, Tensor> entry : inspection.tensors().entrySet()) {
                Tensor tensor = entry.getValue();
                json.writeStartObject();
                json.writeStringField("name", entry.getKey());
                json.writeStringField("type", tensor.type().name());
                json.writeFieldName("shape");
                write(json, tensor.shape());
                json.writeStringField("file", String.valueOf(tensor.file().getFileName()));
                json.writeNumberField("offset", tensor.offset());
                json.writeNumberField("bytes", tensor.bytes());
                json.writeEndObject();
            }
            json.writeEndArray();
            json.writeEndObject();
        });
    }

    private static void here(JsonGenerator json, Here here) throws IOException {
        json.writeStringField("machine", here.machine());
        if (here.heads().isPresent()) {
            json.writeStringField("heads", here.heads().get());
        }
        json.writeArrayFieldStart("kernels");
        for (Here.Kernel kernel : here.kernels()) {
            json.writeStartObject();
            json.writeStringField("type", kernel.type().name());
            json.writeNumberField("matrices", kernel.matrices());
            json.writeNumberField("bytes", kernel.bytes());
            json.writeStringField("computed_as", kernel.type().name());
            json.writeEndObject();
        }
        json.writeEndArray();
        json.writeFieldName("memory");
        write(json, here.memory());
        json.writeNumberField("memory_bytes", here.bytes());
        json.writeNumberField("free_bytes", here.freeBytes());
    }

    private static void write(JsonGenerator json, Object value) throws IOException {
        if (value instanceof Map<?, ?> map) {
            json.writeStartObject();
            for (Map.Entry<?, ?> entry : map.entrySet()) {
                json.writeFieldName(String.valueOf(entry.getKey()));
                write(json, entry.getValue());
            }
            json.writeEndObject();
        } else if (Values.isArray(value)) {
            List<Object> elements = Values.elements(value, Integer.MAX_VALUE);
            json.writeStartArray();
            for (Object element : elements) {
                write(json, element);
            }
            json.writeEndArray();
        } else {
            json.writePOJO(value);
        }
    }
}
