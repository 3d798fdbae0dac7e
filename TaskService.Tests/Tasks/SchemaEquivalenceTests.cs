using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using NJsonSchema;
using TaskService.Http;
using TaskService.Tasks;
using TaskService.Domain;
using TaskService.Tests.Support;

namespace TaskService.Tests.Tasks;

/// <summary>The reader decides as the schema does, so that the schema is the contract.</summary>
public sealed class SchemaEquivalenceTests
{
    [Fact]
    public async Task The_reader_and_the_schema_give_the_same_verdict_on_every_strict_document()
    {
        var text = await File.ReadAllTextAsync(TestRoot.File("schema", "todoList-v1.0.json"));
        var schema = await JsonSchema.FromJsonAsync(text);
        var (compared, accepted) = (0, 0);
        var config = Config.QuickThrowOnFailure.WithMaxTest(TestRoot.Scale(1_000, 100_000));
        Prop.ForAll(SomeJson.Documents.ToArbitrary(), document =>
        {
            if (Verdict(document) is not { } verdict)
            {
                return;
            }
            compared++;
            accepted += verdict ? 1 : 0;
            Assert.True(verdict == IsValid(schema, document), $"the reader says {verdict} of {document}");
        }).Check(config);
        // A generator that makes nothing worth comparing would prove nothing.
        Assert.InRange(compared, config.MaxTest / 2, config.MaxTest);
        Assert.InRange(accepted, config.MaxTest / 100, config.MaxTest);
    }

    /// <returns>Null when it is not strict JSON, or a length is one thing to us and another to the validator.</returns>
    private static bool? Verdict(string document)
    {
        var violations = new List<Violation>();
        try
        {
            var bytes = Encoding.UTF8.GetBytes(document);
            StrictJson.Check(bytes);
            TaskJson.Members.Read(bytes, violations);
        }
        catch (JsonException)
        {
            return null;
        }
        using var parsed = JsonDocument.Parse(document);
        return Straddles(parsed.RootElement) ? null : violations.Count == 0;
    }

    // The validator counts UTF-16 units, where JSON Schema and we count code points.
    private static bool Straddles(JsonElement element) => element.ValueKind == JsonValueKind.Object
        && element.EnumerateObject().Any(member => member.Value.ValueKind == JsonValueKind.String
            && new[] { TaskEntry.TitleCharactersMax, TaskEntry.DescriptionCharactersMax }.Any(max =>
                member.Value.GetString()!.Length > max && member.Value.GetString()!.EnumerateRunes().Count() <= max));

    private static bool IsValid(JsonSchema schema, string document)
    {
        try
        {
            return schema.Validate(document).Count == 0;
        }
        catch (Exception)
        {
            // It cannot compare integers of twenty digits with a bound; what it throws at is not accepted.
            return false;
        }
    }
}
