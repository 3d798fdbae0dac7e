using TaskService.Tests.Support;

namespace TaskService.Tests.Template;

/// <summary>
/// Each section of <c>docs/extending.md</c> is carried out on a copy of the repository. Several share a copy, since a
/// build takes most of the time.
/// </summary>
[Trait("Suite", "template")]
[Collection(nameof(TemplateTests))]
public sealed class ExtendingTests
{
    private const string Document = "docs/extending.md";

    // The documents still describe what was deleted.
    private const string Quick =
        "Suite!=integration&Suite!=long&Suite!=soak&Suite!=template&FullyQualifiedName!~.Docs.";

    // Tests that run on every engine, or name some.
    private const string AnyEngine =
        "FullyQualifiedName~ReferenceTests|FullyQualifiedName~ConditionTests|FullyQualifiedName~IdempotencyTests"
        + "|FullyQualifiedName~CommandLineTests|FullyQualifiedName~MigrationsTests|FullyQualifiedName~CopyTests";

    /// <summary>Quick, so that it is found at once when the document and the code have grown apart.</summary>
    [Theory]
    [InlineData("## Add a field", "## Add a storage engine", "## Add an exporter")]
    [InlineData("### PostgreSQL", "### The OTLP exporter", "### The statsd exporter")]
    [InlineData("### SQLite")]
    [InlineData("### The todo list")]
    public async Task Sections_fit_the_code(params string[] sections)
    {
        using var copy = new TreeCopy();
        foreach (var section in sections)
        {
            Assert.NotEmpty(await copy.ApplyAsync(Document, section));
        }
    }

    [Fact]
    [Trait("Suite", "soak")]
    public async Task A_field_an_engine_and_an_exporter_are_added_as_described()
    {
        using var copy = new TreeCopy();
        await copy.ApplyAsync(Document, "## Add a field");
        await copy.ApplyAsync(Document, "## Add a storage engine");
        await copy.ApplyAsync(Document, "## Add an exporter");
        await AssertIsGoodAsync(
            copy,
            "(FullyQualifiedName~ModelTests|FullyQualifiedName~EntityTests|FullyQualifiedName~TableTests"
            + "|FullyQualifiedName~SchemaEquivalence|FullyQualifiedName~SortedEngine|FullyQualifiedName~ReferenceTests"
            + "|FullyQualifiedName~LinesTests)");
    }

    [Fact]
    [Trait("Suite", "soak")]
    public async Task PostgreSQL_and_the_exporters_over_the_network_are_deleted_as_described()
    {
        using var copy = new TreeCopy();
        await copy.ApplyAsync(Document, "### PostgreSQL");
        await copy.ApplyAsync(Document, "### The OTLP exporter");
        await copy.ApplyAsync(Document, "### The statsd exporter");
        await AssertIsGoodAsync(copy, "(FullyQualifiedName~.Configuration.|FullyQualifiedName~.Tidy.)");
    }

    [Fact]
    [Trait("Suite", "soak")]
    public async Task SQLite_is_deleted_as_described()
    {
        using var copy = new TreeCopy();
        await copy.ApplyAsync(Document, "### SQLite");
        await AssertIsGoodAsync(copy, $"({AnyEngine}|FullyQualifiedName~.Configuration.|FullyQualifiedName~.Tidy.)");
    }

    [Fact]
    [Trait("Suite", "soak")]
    public async Task The_todo_list_is_deleted_as_described()
    {
        using var copy = new TreeCopy();
        await copy.ApplyAsync(Document, "### The todo list");
        await AssertIsGoodAsync(
            copy,
            $"({AnyEngine}|FullyQualifiedName~.Tasks.|FullyQualifiedName~OpenApiTests|FullyQualifiedName~EntityTests"
            + "|FullyQualifiedName~TableTests|FullyQualifiedName~ListenTests|FullyQualifiedName~WebApplicationFactory"
            + "|FullyQualifiedName~.Tidy.)");
    }

    /// <param name="copy">With its changes.</param>
    /// <param name="filter">The tests that matter; the soak suite runs all quick ones.</param>
    private static async Task AssertIsGoodAsync(TreeCopy copy, string filter)
    {
        await copy.BuildAsync();
        await copy.AssertPassesAsync(TestRoot.IsSoak ? Quick : filter);
    }
}
