using System.Buffers;
using System.Reflection;
using Microsoft.AspNetCore.Http.Metadata;
using TaskService.Domain;

namespace TaskService.Http;

/// <summary>
/// The result of an endpoint. Content negotiation, conditions, common headers and problem bodies are added when it is
/// executed, by <see cref="ResultWriter"/>.
/// </summary>
internal class ApiResult : IResult, IStatusCodeHttpResult, IEndpointMetadataProvider
{
    public required int Status { get; init; }

    /// <summary>A whole JSON body; empty when there is none.</summary>
    public ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>A JSON body that is too large to be sent whole.</summary>
    public IStreamedBody? Stream { get; init; }

    /// <summary>The entity tag of the representation without a content coding, in its quotes; null for none.</summary>
    public string? Tag { get; init; }

    /// <summary>Sent as <c>Location</c> and <c>Link</c>, where it is not null.</summary>
    public string? Location { get; init; }

    /// <inheritdoc cref="Location"/>
    public string? Link { get; init; }

    /// <summary>The reason of a refusal or failure; the body is made of it.</summary>
    public Problem? Problem { get; init; }

    /// <param name="location">The path of the new resource.</param>
    /// <param name="version">Its first version.</param>
    public static ApiResult Created(string location, ContentVersion version) => new()
    {
        Status = StatusCodes.Status201Created,
        Location = location,
        Tag = Preconditions.TagOf(version.Hash),
    };

    public static ApiResult NoContent { get; } = new() { Status = StatusCodes.Status204NoContent };

    int? IStatusCodeHttpResult.StatusCode => Status;

    public static void PopulateMetadata(MethodInfo method, EndpointBuilder builder) => builder.Metadata.Add(Marker);

    public Task ExecuteAsync(HttpContext httpContext) => ResultWriter.ExecuteAsync(httpContext, this);

    public static implicit operator ApiResult(Problem problem) => new() { Status = problem.Status, Problem = problem };

    /// <summary>Metadata of endpoints that return an <see cref="ApiResult"/>.</summary>
    public static readonly ResultMarker Marker = new();

    internal sealed class ResultMarker;
}

/// <summary>A JSON body that is written in pieces, so that it takes the same memory at any length.</summary>
internal interface IStreamedBody
{
    /// <summary>Whether all of it was written.</summary>
    bool IsWritten { get; }

    /// <summary>Writes the next piece.</summary>
    /// <returns>Its bytes.</returns>
    ValueTask<int> WriteAsync(IBufferWriter<byte> target);
}
