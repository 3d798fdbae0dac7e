using Microsoft.OpenApi;
using TaskService.Tests.Support;

namespace TaskService.Tests.Api.OpenApi;

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
}
