import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.apache.iceberg.*;
import org.apache.iceberg.catalog.Namespace;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.iceberg.expressions.Expressions;
import org.apache.iceberg.jdbc.JdbcCatalog;
import org.apache.iceberg.types.Types;

public class Make {
  public static void main(String[] args) {
    JdbcCatalog catalog = new JdbcCatalog();
    catalog.setConf(new Configuration());
    catalog.initialize("lake", Map.of("uri", "jdbc:sqlite:" + args[0] + "/catalog.sqlite", "warehouse", args[0],
        "jdbc.schema-version", "V1", "io-impl", "org.apache.iceberg.hadoop.HadoopFileIO"));
    catalog.createNamespace(Namespace.of("shop"));
    for (int version = 2; version <= 3; version++) {
      Schema schema = new Schema(List.of(
          Types.NestedField.required(1, "id", Types.LongType.get()),
          Types.NestedField.optional(2, "at", Types.TimestampType.withZone(), "when"),
          Types.NestedField.optional(3, "total", Types.DecimalType.of(18, 2)),
          Types.NestedField.optional(4, "tags", Types.ListType.ofRequired(5, Types.StringType.get())),
          Types.NestedField.optional(6, "more", Types.MapType.ofOptional(7, 8, Types.StringType.get(),
              Types.StructType.of(Types.NestedField.optional(9, "x", Types.FixedType.ofLength(3)))))), Set.of(1));
      Map<String, String> properties = new HashMap<>(
          Map.of("format-version", "" + version, "write.metadata.previous-versions-max", "3"));
      if (version == 3) properties.put("write.metadata.compression-codec", "gzip");
      Table table = catalog.buildTable(TableIdentifier.of("shop", "orders_v" + version), schema)
          .withPartitionSpec(PartitionSpec.builderFor(schema).day("at").bucket("id", 16).build())
          .withSortOrder(SortOrder.builderFor(schema).asc(Expressions.bucket("id", 4)).desc("at", NullOrder.NULLS_FIRST).build())
          .withProperties(properties).create();
      for (int i = 0; i < 3; i++) {
        table.newAppend().appendFile(DataFiles.builder(table.spec())
            .withPath(table.location() + "/data/f" + i + ".parquet").withFormat("parquet").withFileSizeInBytes(100)
            .withRecordCount(3).withPartitionPath("at_day=2026-11-20/id_bucket=3").build()).commit();
      }
      long first = table.history().get(0).snapshotId();
      table.updateSpec().removeField("at_day").addField(Expressions.month("at")).commit();
      table.updateSchema().addColumn("note", Types.StringType.get()).commit();
      table.manageSnapshots().createTag("first", first).setMaxRefAgeMs("first", 86400000L).createBranch("audit", first)
          .setMinSnapshotsToKeep("audit", 4).setMaxSnapshotAgeMs("audit", 900L).commit();
      table.manageSnapshots().rollbackTo(first).commit();
      table.updateStatistics().setStatistics(new GenericStatisticsFile(first, table.location() + "/metadata/stats.puffin",
          413, 42, List.of(new GenericBlobMetadata("apache-datasketches-theta-v1", first, 1, List.of(1), Map.of("ndv", "3"))))).commit();
    }
  }
}
