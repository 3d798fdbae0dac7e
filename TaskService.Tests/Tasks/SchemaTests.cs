using System.Text.Json;
using NJsonSchema;
using TaskService.Tests.Support;

namespace TaskService.Tests.Tasks;

/// <summary>The schema file is the contract, so it must mean what it says to those who read it.</summary>
public sealed class SchemaTests
{
    // Silently ignored by the validator that the tests use, so that a rule in them would never be checked.
    private static readonly string[] Ignored =
        [
            "const", "if", "then", "else", "contains", "propertyNames",
            "dependentRequired", "dependentSchemas", "$anchor", "$id",
        ];

    private static string Text => File.ReadAllText(TestRoot.File("schema", "todoList-v1.0.json"));

    public static TheoryData<string> DataFiles =>
        [.. Directory.GetFiles(TestRoot.File("data", "tasks")).Select(f => Path.GetFileName(f))];

    [Theory]
    [MemberData(nameof(DataFiles))]
    public async Task The_data_files_conform_to_the_schema(string file)
    {
        var schema = await JsonSchema.FromJsonAsync(Text, CancellationToken.None);
        var text = await File.ReadAllTextAsync(TestRoot.File("data", "tasks", file), CancellationToken.None);
        Assert.Empty(schema.Validate(text));
    }

    [Fact]
    public void There_are_data_files() =>
        Assert.Equal(["task1.json", "task2.json"], DataFiles.Select(row => row.Data).Order());

    [Theory]
    [InlineData("""{}""")]
    [InlineData("""[]""")]
    [InlineData("""{"title":""}""")]
    [InlineData("""{"title":1}""")]
    [InlineData("""{"title":"t","x":1}""")]
    [InlineData("""{"title":"t","priority":"High"}""")]
    [InlineData("""{"title":"t","due_date":253402300800}""")]
    public async Task The_validator_refuses_what_the_schema_forbids(string document)
    {
        var schema = await JsonSchema.FromJsonAsync(Text, CancellationToken.None);
        Assert.NotEmpty(schema.Validate(document));
    }

    [Fact]
    public void The_schema_has_no_keyword_that_the_validator_ignores()
    {
        using var schema = JsonDocument.Parse(Text);
        Assert.Empty(Names(schema.RootElement).Intersect(Ignored));
    }

    private static IEnumerable<string> Names(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object =>
            element.EnumerateObject().SelectMany(member => Names(member.Value).Prepend(member.Name)),
        JsonValueKind.Array => element.EnumerateArray().SelectMany(Names),
        _ => [],
    };
}
