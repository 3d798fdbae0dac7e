using System.Text.Json.Nodes;
using Microsoft.OpenApi;
using TaskService.Tests.Support;

namespace TaskService.Tests.Http.OpenApi;

/// <summary>The description of the API is one that others can read.</summary>
public sealed class OpenApiFormatTests
{
    [Fact]
    public async Task It_is_OpenAPI_3_1_without_an_error_or_a_warning()
    {
        await using var service = await RunningService.StartAsync(service: "name: Shop");
        var text = await service.Client.GetStringAsync(new Uri("/openapi.json", UriKind.Relative));
        var read = OpenApiDocument.Parse(text, "json");
        Assert.Empty(read.Diagnostic!.Errors);
        Assert.Empty(read.Diagnostic.Warnings);
        Assert.Equal(OpenApiSpecVersion.OpenApi3_1, read.Diagnostic.SpecificationVersion);
        Assert.Equal("Shop", read.Document!.Info.Title);
        Assert.Empty(read.Document.Validate(ValidationRuleSet.GetDefaultRuleSet()));
    }

    // The rules are those that Redocly's and Spectral's linters recommend, which need a runtime of their own.
    [Fact]
    public async Task It_has_what_linters_ask_of_a_document()
    {
        var document = (await ApiContract.GetAsync()).Document;
        Assert.NotEqual("", (string?)document["info"]!["contact"]?["name"]);
        Assert.Equal("MIT", (string?)document["info"]!["license"]?["identifier"]);
        Assert.IsType<JsonArray>(document["security"]);
        Assert.NotEmpty(document["servers"]!.AsArray());
        Assert.All(
            document["tags"]!.AsArray(), tag => Assert.False(string.IsNullOrEmpty((string?)tag!["description"])));
        var text = document.ToJsonString();
        foreach (var (kind, components) in document["components"]!.AsObject())
        {
            // Those of security are named without a path.
            Assert.All(components!.AsObject(), component => Assert.Contains(
                kind == "securitySchemes" ? $"[{{\"{component.Key}\":[" : $"\"#/components/{kind}/{component.Key}\"",
                text,
                StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task It_has_what_linters_ask_of_each_operation()
    {
        var document = (await ApiContract.GetAsync()).Document;
        var tags = document["tags"]!.AsArray().Select(tag => (string?)tag!["name"]).ToHashSet();
        var operations = document["paths"]!.AsObject()
            .SelectMany(path => path.Value!.AsObject(), (path, method) => ($"{method.Key} {path.Key}", method.Value!))
            .ToList();
        foreach (var (name, operation) in operations)
        {
            foreach (var member in new[] { "operationId", "summary", "description" })
            {
                Assert.False(string.IsNullOrEmpty((string?)operation[member]), $"{name} has no {member}");
            }
            Assert.Subset(tags, operation["tags"]!.AsArray().Select(tag => (string?)tag).ToHashSet());
            Assert.Contains(operation["responses"]!.AsObject(), response => response.Key[0] == '4');
        }
        Assert.Distinct(operations.Select(operation => (string?)operation.Item2["operationId"]));
    }
}
