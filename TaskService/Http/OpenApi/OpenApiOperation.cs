namespace TaskService.Http.OpenApi;

/// <summary>What clients can know of one method of a resource.</summary>
/// <param name="Method">Upper case.</param>
/// <param name="Template">As it was given to the routes.</param>
/// <param name="Id">A name for generated clients.</param>
/// <param name="Summary">What it does, in a few words.</param>
internal sealed record OpenApiOperation(string Method, string Template, string Id, string Summary)
{
    /// <summary>What it belongs to.</summary>
    public string Tag { get; init; } = "tasks";

    /// <summary>More words, in Markdown.</summary>
    public string? Description { get; init; }

    /// <summary>Names of shared parameters.</summary>
    public IReadOnlyList<string> Parameters { get; init; } = [];

    /// <summary>Media types of the body, each with the name of its schema.</summary>
    public IReadOnlyList<(string MediaType, string Schema)> Bodies { get; init; } = [];

    /// <summary>What it answers when all is well, and what else is not a problem.</summary>
    public IReadOnlyList<OpenApiAnswer> Answers { get; init; } = [];

    /// <summary>Why it may refuse or fail, each as it would be sent.</summary>
    public IReadOnlyList<Problem> Problems { get; init; } = [];

    /// <summary>Whether the endpoint goes through the answers that all share, or sends its own.</summary>
    public bool IsShared { get; init; } = true;
}

/// <summary>An answer that is no problem.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Description">When it is given.</param>
/// <param name="Headers">Names of shared headers, besides those that every answer of its kind has.</param>
/// <param name="Schema">The name of the schema of its JSON body; null when it has none.</param>
internal sealed record OpenApiAnswer(
    int Status, string Description, IReadOnlyList<string> Headers, string? Schema = null);
