using System.Text.Json.Nodes;

namespace TaskService.Http;

/// <summary>
/// Words about an endpoint for the description of the API that metadata of the framework cannot say. Name, summary,
/// description and tags are said by <c>WithName</c>, <c>WithSummary</c>, <c>WithDescription</c> and <c>WithTags</c>;
/// parameters, bodies and responses of plain types by the handler, <c>Accepts</c> and <c>Produces</c>.
/// </summary>
internal sealed record EndpointDescription
{
    /// <summary>Names of parameters in <see cref="DescribedComponents"/>.</summary>
    public IReadOnlyList<string> Parameters { get; init; } = [];

    /// <summary>Media types of the request body, each with the name of its schema.</summary>
    public IReadOnlyList<(string MediaType, string Schema)> Bodies { get; init; } = [];

    /// <summary>Responses that are no problem, and further headers of those that are.</summary>
    public IReadOnlyList<DescribedResponse> Responses { get; init; } = [];

    /// <summary>Why the endpoint may refuse or fail, each as it would be sent; not those of the pipeline.</summary>
    public IReadOnlyList<Problem> Problems { get; init; } = [];
}

/// <param name="Status">The HTTP status.</param>
/// <param name="Description">When it is sent; empty when the problems of this status say it.</param>
/// <param name="Headers">Names of headers, besides those that every response of its kind has.</param>
/// <param name="Schema">The name of the schema of its JSON body; null when it has none.</param>
internal sealed record DescribedResponse(
    int Status, string Description, IReadOnlyList<string> Headers, string? Schema = null);

/// <summary>The parts that descriptions of endpoints name, in terms of OpenAPI 3.1; metadata of a group.</summary>
internal sealed record DescribedComponents
{
    public JsonObject Schemas { get; init; } = [];

    /// <summary>JSON texts, by the names of their schemas.</summary>
    public IReadOnlyDictionary<string, string> Examples { get; init; } = new Dictionary<string, string>();

    public JsonObject Parameters { get; init; } = [];

    public JsonObject Headers { get; init; } = [];

    /// <summary>Each with the words that stand above its operations.</summary>
    public IReadOnlyDictionary<string, string> Tags { get; init; } = new Dictionary<string, string>();

    /// <param name="place"><c>path</c>, <c>query</c> or <c>header</c>.</param>
    /// <param name="name">As clients send it.</param>
    /// <param name="description">Its effect.</param>
    /// <param name="schema">Of its value.</param>
    /// <param name="example">A value.</param>
    public static JsonObject Parameter(
        string place, string name, string description, JsonObject schema, JsonNode example)
    {
        var result = new JsonObject { ["name"] = name, ["in"] = place, ["description"] = description };
        if (place == "path")
        {
            result["required"] = true;
        }
        result["schema"] = schema;
        result["example"] = example;
        return result;
    }

    /// <param name="description">Its meaning.</param>
    /// <param name="example">A value.</param>
    /// <param name="isRequired">Whether every response that names it has it.</param>
    public static JsonObject Header(string description, string example, bool isRequired = true) => new()
    {
        ["description"] = description,
        ["required"] = isRequired,
        ["schema"] = new JsonObject { ["type"] = "string" },
        ["example"] = example,
    };
}

/// <summary>
/// How a scheme of authentication is described, for one that is neither bearer, basic nor cookie; register it as a
/// singleton.
/// </summary>
/// <param name="Scheme">As it is named in <c>AddScheme</c>.</param>
/// <param name="Json">A Security Scheme Object of OpenAPI.</param>
internal sealed record DescribedSecurity(string Scheme, JsonObject Json);

/// <summary>Attaches descriptions to endpoints. They are made when the document is, so that the start is not.</summary>
internal static class EndpointDescriptionMetadata
{
    public static TBuilder Describe<TBuilder>(this TBuilder endpoint, Func<EndpointDescription> description)
        where TBuilder : IEndpointConventionBuilder => endpoint.WithMetadata(description);

    /// <summary>For groups, whose endpoints may name what is in it.</summary>
    public static TBuilder DescribeComponents<TBuilder>(this TBuilder group, Func<DescribedComponents> components)
        where TBuilder : IEndpointConventionBuilder => group.WithMetadata(components);
}
