using System.Diagnostics;
using System.Text.Json;
using TaskService.Storage;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage;

/// <summary>The graph of tables, as <c>dot</c> of Graphviz reads it.</summary>
public sealed class SchemaGraphTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task A_table_is_a_box_with_its_columns_and_a_reference_an_edge_to_the_parent()
    {
        using var graph = await LayOutAsync(SchemaGraph.ToDot([ShelfRow.Entity, BookRow.Entity]));
        Assert.Equal(
            [("shelves", "shelves\\n\\nid\\nroom"), ("books", "books\\n\\nid\\nshelf_id\\nname")], Boxes(graph));
        var edge = Assert.Single(graph.RootElement.GetProperty("edges").EnumerateArray());
        var objects = graph.RootElement.GetProperty("objects");
        Assert.Equal("books", NameOf(objects[edge.GetProperty("tail").GetInt32()]));
        Assert.Equal("shelves", NameOf(objects[edge.GetProperty("head").GetInt32()]));
        Assert.Equal("shelf_id", edge.GetProperty("label").GetString());
    }

    [Fact]
    [Trait("Suite", "integration")]
    public async Task The_program_writes_the_tables_of_this_service_and_says_which_columns_may_be_null()
    {
        using var process = ServiceProcess.Start(directory.Path, "schema-graph");
        Assert.Equal(0, await process.ExitAsync());
        Assert.Empty(process.Errors);
        using var graph = await LayOutAsync(string.Join('\n', process.Output));
        Assert.Contains(
            ("tasks", "tasks\\n\\nid\\ncompleted\\npriority\\ndue_date [null]\\ntitle\\ndescription [null]"),
            Boxes(graph));
    }

    private static IEnumerable<(string Name, string Label)> Boxes(JsonDocument graph) =>
        graph.RootElement.GetProperty("objects").EnumerateArray().Select(box =>
        {
            Assert.Equal("box", box.GetProperty("shape").GetString());
            return (NameOf(box), box.GetProperty("label").GetString()!);
        });

    private static string NameOf(JsonElement box) => box.GetProperty("name").GetString()!;

    private static async Task<JsonDocument> LayOutAsync(string graph)
    {
        const string dot = "/usr/bin/dot";
        Assert.SkipUnless(File.Exists(dot), "needs dot (apt-get install graphviz)");
        using var process = Process.Start(new ProcessStartInfo(dot, ["-Tjson"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        await process.StandardInput.WriteAsync(graph);
        process.StandardInput.Close();
        var output = await process.StandardOutput.ReadToEndAsync();
        Assert.Equal("", await process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
        return JsonDocument.Parse(output);
    }
}
