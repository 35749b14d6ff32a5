import java.io.PrintWriter;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.iceberg.*;
import org.apache.iceberg.data.GenericRecord;
import org.apache.iceberg.deletes.Deletes;
import org.apache.iceberg.deletes.PositionDeleteIndex;
import org.apache.iceberg.expressions.Expressions;
import org.apache.iceberg.expressions.Literal;
import org.apache.iceberg.hadoop.HadoopTables;
import org.apache.iceberg.io.CloseableIterable;
import org.apache.iceberg.transforms.Transform;
import org.apache.iceberg.transforms.Transforms;
import org.apache.iceberg.types.Conversions;
import org.apache.iceberg.types.Type;
import org.apache.iceberg.types.Types;
import org.apache.iceberg.util.BinaryUtil;
import org.apache.iceberg.util.UnicodeUtil;

/** Writes what README.md beside this file lists into the folder that the first argument names. */
public class Make {
  static final long DAY = 86_400_000_000L;
  static final Map<Type, List<?>> VALUES = new java.util.LinkedHashMap<>();

  static {
    VALUES.put(Types.BooleanType.get(), List.of(true, false));
    VALUES.put(Types.IntegerType.get(), List.of(0, 34, -1, -11, Integer.MAX_VALUE, Integer.MIN_VALUE + 10));
    VALUES.put(Types.LongType.get(), List.of(0L, 34L, -1L, -11L, 9007199254740993L, Long.MAX_VALUE, Long.MIN_VALUE + 10));
    VALUES.put(Types.FloatType.get(), List.of(0f, -0f, 1.5f, 0.1f, -3.4028235e38f, 1.4e-45f));
    VALUES.put(Types.DoubleType.get(), List.of(0d, -0d, 1.5d, 0.1d, -1.7976931348623157e308, 4.9e-324, 1e21, 1e-7));
    VALUES.put(Types.DateType.get(), List.of(0, -1, 17486, 19782, -719162, 2932896));
    VALUES.put(Types.TimeType.get(), List.of(0L, 81068000000L, 86399999999L, 1L, 1000L));
    List<Long> micros = List.of(0L, -1L, 1510871468000000L, 1510871468000001L, -DAY, -DAY - 1, 1709164800123000L, 253402300799999999L);
    VALUES.put(Types.TimestampType.withoutZone(), micros);
    VALUES.put(Types.TimestampType.withZone(), micros);
    List<Long> nanos = List.of(0L, -1L, -1001L, 1510871468000001999L, 1709164800000000001L, Long.MAX_VALUE);
    VALUES.put(Types.TimestampNanoType.withoutZone(), nanos);
    VALUES.put(Types.TimestampNanoType.withZone(), nanos);
    VALUES.put(Types.StringType.get(), List.of("", "iceberg", "ünïcödé", "a b/c=d%?é", "\ud83e\uddca\ud83e\uddcax", "null", "long ".repeat(8)));
    VALUES.put(Types.UUIDType.get(), List.of(UUID.fromString("f79c3e09-677c-4bbd-a479-3f349cb785e7"), new UUID(0, 0), new UUID(-1, -1)));
    VALUES.put(Types.FixedType.ofLength(3), List.of(bytes(0, 0, 0), bytes(255, 1, 2)));
    VALUES.put(Types.BinaryType.get(), List.of(bytes(), bytes(0, 1, 2, 3), bytes(255, 255, 1)));
    VALUES.put(Types.DecimalType.of(9, 2), decimals(2, "0", "1420", "-1", "999999999", "-999999999", "128", "-128", "-129"));
    VALUES.put(Types.DecimalType.of(18, 0), decimals(0, "0", "-5", "100000000000000000"));
    VALUES.put(Types.DecimalType.of(38, 10), decimals(10, "0", "1065", "-" + "9".repeat(38), "9".repeat(38)));
  }

  static ByteBuffer bytes(int... each) {
    byte[] made = new byte[each.length];
    for (int i = 0; i < each.length; i++) made[i] = (byte) each[i];
    return ByteBuffer.wrap(made);
  }

  static List<BigDecimal> decimals(int scale, String... unscaled) {
    List<BigDecimal> made = new ArrayList<>();
    for (String each : unscaled) made.add(new BigDecimal(new BigInteger(each), scale));
    return made;
  }

  static String hex(ByteBuffer buffer) {
    byte[] copy = new byte[buffer.remaining()];
    buffer.duplicate().get(copy);
    return HexFormat.of().formatHex(copy);
  }

  static String quoted(String text) {
    return text == null ? "null" : SingleValueParser.toJson(Types.StringType.get(), text);
  }

  public static void main(String[] args) throws Exception {
    Path folder = Path.of(args[0]);
    List<String> values = new ArrayList<>();
    for (Type type : VALUES.keySet()) for (Object value : VALUES.get(type)) values.add(value(type, value));
    try (PrintWriter out = new PrintWriter(folder.resolve("pieces.json").toFile(), StandardCharsets.UTF_8)) {
      out.println("{\"values\":[\n" + String.join(",\n", values) + "\n],\n\"bounds\":[\n" + String.join(",\n", bounds()));
      out.println("],\n\"vectors\":[\n" + String.join(",\n", vectors()) + "\n],");
      out.println("\"fixed\":" + quoted(tables(folder)) + "}");
    }
  }

  /** A value's forms, and what transforms make of it. */
  @SuppressWarnings("unchecked")
  static String value(Type type, Object value) {
    List<String> results = new ArrayList<>();
    for (String name : List.of("identity", "bucket[16]", "bucket[2147483647]", "truncate[2]", "truncate[10]", "year", "month", "day", "hour", "void")) {
      Transform<Object, Object> transform = (Transform<Object, Object>) Transforms.fromString(name);
      if (!transform.canTransform(type)) continue;
      Type made = transform.getResultType(type);
      Object result = transform.bind(type).apply(value);
      results.add(quoted(name) + ":{\"type\":" + quoted(made.toString()) + ",\"json\":" + (result == null ? "null" : SingleValueParser.toJson(made, result))
          + ",\"text\":" + quoted(transform.toHumanString(made, result)) + "}");
    }
    return "{\"type\":" + quoted(type.toString()) + ",\"json\":" + SingleValueParser.toJson(type, value) + ",\"hex\":\""
        + hex(Conversions.toByteBuffer(type, value)) + "\",\"transforms\":{" + String.join(",", results) + "}}";
  }

  /** Bounds that are cut. */
  static List<String> bounds() {
    List<String> made = new ArrayList<>();
    for (String text : List.of("abc", "ab\ud7ff", "ab\udbff\udfff", "\udbff\udfff\udbff\udfffz", "\ud83e\uddca\ud83e\uddcax", "ünïcödé", "a\uffffb", "")) {
      for (int length = 1; length <= 3; length++) {
        Literal<CharSequence> literal = Literal.of(text).to(Types.StringType.get());
        Literal<CharSequence> low = UnicodeUtil.truncateStringMin(literal, length);
        Literal<CharSequence> high = UnicodeUtil.truncateStringMax(literal, length);
        made.add("{\"string\":" + quoted(text) + ",\"length\":" + length + ",\"low\":" + quoted(low.value().toString())
            + ",\"high\":" + quoted(high == null ? null : high.value().toString()) + "}");
      }
    }
    for (ByteBuffer buffer : List.of(bytes(1, 2, 3), bytes(1, 255, 255, 4), bytes(255, 255, 255), bytes())) {
      for (int length = 1; length <= 3; length++) {
        Literal<ByteBuffer> low = BinaryUtil.truncateBinaryMin(Literal.of(buffer.duplicate()), length);
        Literal<ByteBuffer> high = BinaryUtil.truncateBinaryMax(Literal.of(buffer.duplicate()), length);
        made.add("{\"binary\":\"" + hex(buffer) + "\",\"length\":" + length + ",\"low\":\"" + hex(low.value()) + "\",\"high\":"
            + (high == null ? "null" : "\"" + hex(high.value()) + "\"") + "}");
      }
    }
    return made;
  }

  /** Deletion vectors of ranges `[from, to, step]`. */
  static List<String> vectors() {
    long[][][] shapes = {
      {{0, 1, 1}}, {{1, 10, 2}}, {{10, 100_000, 1}}, {{65_535, 65_537, 1}}, {{0, 8192, 2}}, {{0, 8190, 2}}, {{0, 8194, 2}},
      {{0, 131_072, 3}}, {{0, 65_536, 1}}, {{0, 1, 1}, {65_535, 65_536, 1}, {1_000_000, 1_000_001, 1}, {4_294_967_294L, 4_294_967_296L, 1}},
      {{5, 5000, 1}, {70_000, 133_000, 7}, {300_001, 300_002, 1}, {400_000, 600_000, 1}}, {{0, 3, 1}, {10, 13, 1}, {20, 23, 1}, {30, 31, 1}},
    };
    List<String> made = new ArrayList<>();
    for (long[][] ranges : shapes) {
      List<Long> positions = new ArrayList<>();
      List<String> told = new ArrayList<>();
      for (long[] range : ranges) {
        for (long at = range[0]; at < range[1]; at += range[2]) positions.add(at);
        told.add("[" + range[0] + "," + range[1] + "," + range[2] + "]");
      }
      PositionDeleteIndex index = Deletes.toPositionIndex(CloseableIterable.withNoopClose(positions));
      ByteBuffer blob = index.serialize();
      byte[] copy = new byte[blob.remaining()];
      blob.duplicate().get(copy);
      made.add("{\"ranges\":[" + String.join(",", told) + "],\"blob\":\"" + Base64.getEncoder().encodeToString(copy) + "\"}");
    }
    return made;
  }

  /** Tables without data files, of which only metadata is there. Gives what Java says when it reads its own partitions by `fixed`. */
  static String tables(Path folder) throws Exception {
    HadoopTables tables = new HadoopTables(new Configuration());
    for (int version = 2; version <= 3; version++) story(tables, folder.resolve("v" + version).toString(), version);
    Schema schema = new Schema(List.of(Types.NestedField.optional(1, "code", Types.FixedType.ofLength(3))));
    PartitionSpec spec = PartitionSpec.builderFor(schema).identity("code").build();
    Table table = tables.create(schema, spec, Map.of("format-version", "2"), folder.resolve("fixed").toString());
    AppendFiles append = table.newAppend();
    for (Object value : VALUES.get(Types.FixedType.ofLength(3))) {
      GenericRecord partition = GenericRecord.create(spec.partitionType());
      partition.set(0, ((ByteBuffer) value).duplicate());
      append.appendFile(file(table, "f" + hex((ByteBuffer) value), partition, 3));
    }
    append.commit();
    List<String> read = new ArrayList<>();
    try (CloseableIterable<FileScanTask> tasks = table.newScan().planFiles()) {
      for (FileScanTask task : tasks) read.add(hex(task.partition().get(0, ByteBuffer.class)));
    } catch (Exception error) {
      return error + ", " + error.getCause();
    }
    read.sort(null);
    return "read " + String.join(" ", read);
  }

  static void story(HadoopTables tables, String location, int version) throws Exception {
    List<Types.NestedField> fields = new ArrayList<>();
    int id = 1;
    for (Type type : VALUES.keySet()) {
      if (type.typeId() == Type.TypeID.TIMESTAMP_NANO && version < 3) continue;
      fields.add(Types.NestedField.optional(id, "c" + id++, type));
    }
    int text = id++;
    fields.add(Types.NestedField.optional(text, "2 odd näme", Types.StringType.get(), "a column that says what it is"));
    fields.add(Types.NestedField.optional(id, "s", Types.StructType.of(Types.NestedField.required(id + 1, "x", Types.IntegerType.get()),
        Types.NestedField.optional(id + 2, "l", Types.ListType.ofRequired(id + 3, Types.StringType.get())),
        Types.NestedField.optional(id + 4, "m", Types.MapType.ofOptional(id + 5, id + 6, Types.StringType.get(), Types.DateType.get())))));
    id += 7;
    if (version == 3) {
      fields.add(Types.NestedField.optional("d").withId(id).ofType(Types.LongType.get()).withInitialDefault(Expressions.lit(7L))
          .withWriteDefault(Expressions.lit(9007199254740993L)).build());
    }
    Schema schema = new Schema(fields);
    PartitionSpec.Builder builder = PartitionSpec.builderFor(schema);
    Map<Type.TypeID, String> times = new HashMap<>(Map.of(Type.TypeID.DATE, "year", Type.TypeID.TIMESTAMP, "hour", Type.TypeID.TIMESTAMP_NANO, "month"));
    for (Types.NestedField field : schema.columns()) {
      if (!field.type().isPrimitiveType() || field.type().typeId() == Type.TypeID.FIXED || field.name().equals("d")) continue;
      builder.identity(field.name());
      String time = times.remove(field.type().typeId());
      if (time == null) continue;
      if (time.equals("year")) builder.year(field.name());
      else if (time.equals("hour")) builder.hour(field.name());
      else builder.month(field.name());
    }
    PartitionSpec spec = builder.bucket("2 odd näme", 16).truncate("2 odd näme", 2).build();
    Table table = tables.create(schema, spec, Map.of("format-version", "" + version, "commit.manifest-merge.enabled", "false"), location);
    List<DataFile> files = new ArrayList<>();
    for (int i = 0; i < 8; i++) files.add(file(table, "f" + i, partition(table, i), i));
    AppendFiles append = table.newAppend();
    for (DataFile each : files.subList(0, 4)) append.appendFile(each);
    append.commit();
    table.newAppend().appendFile(files.get(4)).appendFile(files.get(5)).commit();
    table.newDelete().deleteFile(files.get(1)).commit();
    DeleteFile first = deletes(table, "d0", files.get(0), 2, version);
    DeleteFile equality = FileMetadata.deleteFileBuilder(table.spec()).ofEqualityDeletes(2, 3).withPath(table.location() + "/data/e0.parquet")
        .withFormat("parquet").withFileSizeInBytes(300).withMetrics(metrics(table, 1)).withPartition(files.get(2).partition()).withSplitOffsets(List.of(4L)).build();
    table.newRowDelta().addRows(files.get(6)).addDeletes(first).addDeletes(equality).commit();
    table.newOverwrite().deleteFile(files.get(2)).addFile(files.get(7)).commit();
    table.newRowDelta().validateFromSnapshot(table.currentSnapshot().snapshotId()).removeDeletes(first).addDeletes(deletes(table, "d1", files.get(0), 3, version)).commit();
    table.rewriteManifests().clusterBy(file -> "all").commit();
  }

  static DeleteFile deletes(Table table, String name, DataFile of, long count, int version) {
    FileMetadata.Builder builder = FileMetadata.deleteFileBuilder(table.spec()).ofPositionDeletes().withPartition(of.partition())
        .withReferencedDataFile(of.location()).withFileSizeInBytes(400).withRecordCount(count);
    if (version == 2) return builder.withPath(table.location() + "/data/" + name + ".parquet").withFormat("parquet").build();
    return builder.withPath(table.location() + "/data/" + name + ".puffin").withFormat("puffin").withContentOffset(4).withContentSizeInBytes(44).build();
  }

  static StructLike partition(Table table, int number) {
    GenericRecord partition = GenericRecord.create(table.spec().partitionType());
    // One file has nulls alone.
    if (number == 3) return partition;
    List<PartitionField> fields = table.spec().fields();
    for (int i = 0; i < fields.size(); i++) {
      Types.NestedField source = table.schema().findField(fields.get(i).sourceId());
      List<?> values = VALUES.get(source.type());
      Object value = values.get(number % values.size());
      if (value instanceof ByteBuffer) value = ((ByteBuffer) value).duplicate();
      @SuppressWarnings("unchecked")
      Transform<Object, Object> transform = (Transform<Object, Object>) fields.get(i).transform();
      partition.set(i, transform.bind(source.type()).apply(value));
    }
    return partition;
  }

  static DataFile file(Table table, String name, StructLike partition, int number) {
    DataFiles.Builder builder = DataFiles.builder(table.spec()).withPath(table.location() + "/data/" + name + ".parquet").withFormat("parquet")
        .withFileSizeInBytes(1000 + number).withPartition(partition).withMetrics(metrics(table, number));
    if (number % 2 == 0) builder.withSplitOffsets(List.of(4L, 500L + number));
    if (number == 5) builder.withEncryptionKeyMetadata(bytes(1, 2, 3));
    return builder.build();
  }

  static Metrics metrics(Table table, int number) {
    Map<Integer, Long> sizes = new java.util.LinkedHashMap<>();
    Map<Integer, Long> counts = new java.util.LinkedHashMap<>();
    Map<Integer, Long> nulls = new java.util.LinkedHashMap<>();
    Map<Integer, Long> nans = new java.util.LinkedHashMap<>();
    Map<Integer, ByteBuffer> low = new java.util.LinkedHashMap<>();
    Map<Integer, ByteBuffer> high = new java.util.LinkedHashMap<>();
    long rows = 10 + number;
    for (Types.NestedField field : table.schema().columns()) {
      List<?> values = VALUES.get(field.type());
      if (values == null) continue;
      sizes.put(field.fieldId(), 100L + number);
      counts.put(field.fieldId(), rows);
      nulls.put(field.fieldId(), (long) number);
      if (field.type().typeId() == Type.TypeID.FLOAT || field.type().typeId() == Type.TypeID.DOUBLE) nans.put(field.fieldId(), 1L);
      low.put(field.fieldId(), Conversions.toByteBuffer(field.type(), values.get(0)).duplicate());
      high.put(field.fieldId(), Conversions.toByteBuffer(field.type(), values.get(1)).duplicate());
    }
    return new Metrics(rows, sizes, counts, nulls, nans, low, high);
  }
}
