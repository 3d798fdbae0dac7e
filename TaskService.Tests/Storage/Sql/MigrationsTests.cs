using TaskService.Storage.Sql;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Sql;

/// <summary>The files of every engine, and the statements in them.</summary>
public sealed class MigrationsTests
{
    [Fact]
    public void Embedded_migrations_of_an_engine_are_in_order_and_without_gaps()
    {
        var folders = Directory.GetDirectories(TestRoot.File("schema"));
        Assert.NotEmpty(folders);
        Assert.All(folders, folder =>
        {
            var files = Directory.GetFiles(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal);
            var known = Migrations.Embedded(Path.GetFileName(folder)).Known;
            Assert.Equal(files, known.Select(step => step.Name));
            Assert.Equal(Enumerable.Range(1, known.Count), known.Select(step => step.Version));
        });
    }

    [Theory]
    [InlineData("ALTER TABLE a ADD COLUMN y TEXT; -- DROP TABLE a", false)]
    [InlineData("/* DELETE */ CREATE UNIQUE INDEX i ON a (x);\n CREATE TABLE b (x DEFAULT 'DROP');", false)]
    [InlineData("insert into a values (';UPDATE');", false)]
    [InlineData("CREATE TABLE b (x); DROP TABLE a", true)]
    [InlineData("alter table a drop column x", true)]
    [InlineData("ALTER TABLE a RENAME TO b", true)]
    [InlineData("ALTER TABLE a ADD COLUMN y TEXT, ALTER COLUMN x TYPE bigint", true)]
    [InlineData("UPDATE a SET x = 2", true)]
    [InlineData("delete\nfrom a", true)]
    [InlineData("TRUNCATE a", true)]
    [InlineData("INSERT OR REPLACE INTO a VALUES (1)", true)]
    [InlineData("INSERT INTO a VALUES (1) ON CONFLICT (x) DO UPDATE SET x = 2", true)]
    [InlineData("REPLACE INTO a VALUES (1)", true)]
    [InlineData("WITH gone AS (DELETE FROM a RETURNING x) INSERT INTO b SELECT x FROM gone", true)]
    [InlineData("CREATE TABLE b AS WITH gone AS (DELETE FROM a RETURNING x) SELECT x FROM gone", true)]
    [InlineData("DO $$ BEGIN EXECUTE 'x'; END $$", true)]
    [InlineData("PRAGMA writable_schema = 1", true)]
    public void A_migration_is_destructive_unless_it_is_known_to_only_add(string sql, bool isDestructive) =>
        Assert.Equal(isDestructive, new Migration(1, "001_a.sql", sql).IsDestructive);
}
